package ocitest

import (
	"encoding/json"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

// Artifact is a manifest and the blobs that it names.
type Artifact struct {
	// Manifest is its bytes, of the media type MediaType.
	Manifest  []byte
	MediaType string

	// Blobs are its config and its layers. A test that leaves one out of a push
	// has a manifest with a missing layer.
	Blobs map[digest.Digest][]byte
}

// Digest returns that of the manifest.
func (a Artifact) Digest() digest.Digest { return digest.FromBytes(a.Manifest) }

// File is one layer of an artifact.
type File struct {
	// Title is the name of the file; empty for none.
	Title string
	// MediaType of the layer.
	MediaType string
	// Content is its bytes.
	Content []byte
}

// NewArtifact returns an artifact with a layer for each file, as oras push makes it.
func NewArtifact(files ...File) Artifact {
	a := Artifact{MediaType: ocispec.MediaTypeImageManifest, Blobs: map[digest.Digest][]byte{}}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: a.MediaType,
		ArtifactType: "application/vnd.unknown.artifact.v1",
		Config:       a.blob(ocispec.MediaTypeEmptyJSON, []byte("{}")),
	}
	for _, f := range files {
		d := a.blob(f.MediaType, f.Content)
		if f.Title != "" {
			d.Annotations = map[string]string{ocispec.AnnotationTitle: f.Title}
		}
		m.Layers = append(m.Layers, d)
	}
	a.Manifest = mustJSON(m)
	return a
}

// Phase is one phase of a bundle in the provider's own layout.
type Phase struct {
	// Name of the phase.
	Name string
	// Manifests is its YAML.
	Manifests []byte
}

// NewBundle returns an artifact in the provider's own layout. The layers are
// annotated, and in the order of the phases.
func NewBundle(phases ...Phase) Artifact {
	type planPhase struct {
		Name  string        `json:"name"`
		Layer digest.Digest `json:"layer"`
	}
	a := Artifact{MediaType: ocispec.MediaTypeImageManifest, Blobs: map[digest.Digest][]byte{}}
	m := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: a.MediaType,
		ArtifactType: oci.BundleArtifactType,
	}
	var plan []planPhase
	for _, p := range phases {
		d := a.blob(oci.PhaseMediaType, compress(p.Manifests))
		d.Annotations = map[string]string{oci.PhaseAnnotation: p.Name}
		m.Layers = append(m.Layers, d)
		plan = append(plan, planPhase{Name: p.Name, Layer: d.Digest})
	}
	m.Config = a.blob(oci.PlanMediaType, mustJSON(map[string]any{"phases": plan}))
	a.Manifest = mustJSON(m)
	return a
}

// NewIndex returns an index of the manifests with the given digests.
func NewIndex(manifests ...digest.Digest) Artifact {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, d := range manifests {
		index.Manifests = append(index.Manifests, ocispec.Descriptor{
			MediaType: ocispec.MediaTypeImageManifest, Digest: d, Size: 1,
		})
	}
	return Artifact{MediaType: index.MediaType, Manifest: mustJSON(index)}
}

func (a Artifact) blob(mediaType string, content []byte) ocispec.Descriptor {
	d := digest.FromBytes(content)
	a.Blobs[d] = content
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
}

func compress(content []byte) []byte {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // the options are constant
	}
	return encoder.EncodeAll(content, nil)
}

func mustJSON(v any) []byte {
	content, err := json.Marshal(v)
	if err != nil {
		panic(err) // the types are our own
	}
	return content
}
