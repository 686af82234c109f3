package oci

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// MaxLayers bounds the layers that are read of an artifact.
const MaxLayers = 256

const (
	// maxNameText bounds a name from a registry in a message, in bytes.
	maxNameText = 100
	// maxNamed is how many layers a message names.
	maxNamed = 5
)

// Layer is one layer of an artifact, as its manifest describes it.
type Layer struct {
	// Digest of its bytes, always of sha256.
	Digest digest.Digest
	// Size in bytes.
	Size int64
	// MediaType of the bytes.
	MediaType string
	// Title is the annotation org.opencontainers.image.title: the name of the
	// file that was pushed. It may be empty, and is a name, not a path to write to.
	Title string
}

// Layers returns the layers of a manifest to read. Each of wanted, a title or a
// media type, selects all layers that have it, in the manifest's order and none
// twice; without any wanted all layers are selected but empty ones and the
// documentation beside others, such as a README.md. known reports whether a layer
// with that media type and title can be read.
//
// The error is ArtifactInvalid for an index, a manifest without layers, an invalid
// descriptor, a wanted layer that is missing, and a layer that is not known, and
// LimitExceeded for more than MaxLayers layers that are selected.
func Layers(manifest []byte, wanted []string, known func(mediaType, title string) bool) ([]Layer, error) {
	m, err := parseManifest(manifest)
	if err != nil {
		return nil, err
	}
	layers, err := layersOf(m)
	if err != nil {
		return nil, err
	}
	if layers, err = choose(layers, wanted); err != nil {
		return nil, err
	}
	if len(wanted) == 0 {
		layers = withoutDocumentation(layers, known)
	}
	if len(layers) > MaxLayers {
		return nil, fault.Stallf(v1alpha1.LimitExceededReason,
			"%d layers are more than the limit of %d: name those to read in layers, or push a folder, which is one layer",
			len(layers), MaxLayers)
	}
	if err := checkKnown(layers, known); err != nil {
		return nil, err
	}
	return layers, nil
}

// checkKnown returns an error unless all layers can be read.
func checkKnown(layers []Layer, known func(mediaType, title string) bool) error {
	isKnown := func(l Layer) bool { return known(l.MediaType, l.Title) }
	at := slices.IndexFunc(layers, func(l Layer) bool { return !isKnown(l) })
	if at < 0 {
		return nil
	}
	remedy := "name the layers to read in layers"
	if !slices.ContainsFunc(layers, isKnown) {
		remedy = "push files whose names end in .yaml, .yml or .json, or an archive of them"
	}
	return artifactInvalid("%s cannot be read: it is neither YAML nor an archive of it; %s", layers[at], remedy)
}

// HasLayer reports whether a manifest has a layer of the given media type.
func HasLayer(manifest []byte, mediaType string) bool {
	m, err := parseManifest(manifest)
	return err == nil && slices.ContainsFunc(m.Layers, func(d ocispec.Descriptor) bool { return d.MediaType == mediaType })
}

// documentationNames and documentationEndings are those of files for people that
// are published beside manifests.
var (
	documentationNames   = []string{"readme", "license", "licence", "notice", "changelog", "authors"}
	documentationEndings = []string{".md", ".markdown", ".rst", ".adoc", ".txt"}
)

// withoutDocumentation returns the layers but for documentation, which of an
// archive is not read either; all of them if no other is left.
func withoutDocumentation(layers []Layer, known func(mediaType, title string) bool) []Layer {
	left := slices.DeleteFunc(slices.Clone(layers), func(l Layer) bool {
		// oras push gives the type of a tar archive to files of every kind.
		typed := l.MediaType != ocispec.MediaTypeImageLayer && known(l.MediaType, l.Title)
		return !typed && isDocumentation(path.Base(strings.ToLower(l.Title)))
	})
	if len(left) == 0 {
		return layers
	}
	return left
}

func isDocumentation(name string) bool {
	return slices.Contains(documentationNames, name) || slices.Contains(documentationEndings, path.Ext(name))
}

// String returns the layer as messages name it.
func (l Layer) String() string {
	mediaType := text.Quote(l.MediaType, maxNameText)
	if l.Title == "" {
		return "the layer of the media type " + mediaType
	}
	return "the layer " + text.Quote(l.Title, maxNameText) + " of the media type " + mediaType
}

func parseManifest(content []byte) (ocispec.Manifest, error) {
	if _, isIndex, err := OnlyManifest(content); err != nil || isIndex {
		if err == nil {
			err = artifactInvalid("it is an index, not a manifest: name the digest of its manifest")
		}
		return ocispec.Manifest{}, err
	}
	var m ocispec.Manifest
	return m, decode(content, &m)
}

// layersOf returns the layers of m that have content.
func layersOf(m ocispec.Manifest) ([]Layer, error) {
	layers := make([]Layer, 0, len(m.Layers))
	for i, d := range m.Layers {
		l, err := layerOf(d)
		if err != nil {
			return nil, fmt.Errorf("layers[%d]: %w", i, err)
		}
		if l.MediaType != ocispec.MediaTypeEmptyJSON {
			layers = append(layers, l)
		}
	}
	if len(layers) == 0 {
		return nil, artifactInvalid("the artifact has no layer with content")
	}
	return layers, nil
}

func layerOf(d ocispec.Descriptor) (Layer, error) {
	if err := checkSHA256(d.Digest); err != nil {
		return Layer{}, err
	}
	if d.Size < 0 {
		return Layer{}, artifactInvalid("the size %d is negative", d.Size)
	}
	return Layer{
		Digest: d.Digest, Size: d.Size, MediaType: d.MediaType, Title: d.Annotations[ocispec.AnnotationTitle],
	}, nil
}

// choose returns the wanted ones of layers, or all if none is wanted.
func choose(layers []Layer, wanted []string) ([]Layer, error) {
	if len(wanted) == 0 {
		return layers, nil
	}
	var chosen []Layer
	for _, name := range wanted {
		found := false
		for _, l := range layers {
			if l.Title != name && l.MediaType != name {
				continue
			}
			found = true
			if !slices.Contains(chosen, l) {
				chosen = append(chosen, l)
			}
		}
		if !found {
			return nil, artifactInvalid("it has no layer with the title or the media type %s, but %s",
				text.Quote(name, maxNameText), namesOf(layers))
		}
	}
	return chosen, nil
}

// namesOf returns the titles of the layers in their order, the media type of one
// without a title; the first five of them.
func namesOf(layers []Layer) string {
	names := make([]string, len(layers))
	for i, l := range layers {
		names[i] = text.Quote(cmp.Or(l.Title, l.MediaType), maxNameText)
	}
	return text.List(names, maxNamed, ", ")
}
