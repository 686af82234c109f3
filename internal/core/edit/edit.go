package edit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Edit is what the edits of a set change in a release. The zero value changes nothing.
type Edit struct {
	registries registries
	images     []v1alpha1.ImageLocation
	strip      bool
	// off are the components whose objects are not delivered, on those whose objects are.
	off, on []v1alpha1.Component

	key string
}

// New returns what the edits of a set change in a release. The error is EditInvalid for a
// component that the release does not have.
func New(edits v1alpha1.Edits, release Definitions) (Edit, error) {
	e := Edit{strip: edits.CRDDescriptions == v1alpha1.StripCRDDescriptions}
	if len(edits.ImageRegistries) > 0 {
		e.registries, e.images = newRegistries(edits.ImageRegistries), release.Images
	}
	var err error
	if e.on, e.off, err = choose(edits.Components, release.Components); err != nil {
		return Edit{}, err
	}
	if e.ChangesBytes() {
		e.key, err = keyOf(e.registries, e.images, e.strip)
	}
	return e, err
}

// Definitions are what a release says about how it can be edited.
type Definitions struct {
	// Components are its components.
	Components []v1alpha1.Component `json:"components,omitempty"`
	// Images are where its objects name images beside pod templates.
	Images []v1alpha1.ImageLocation `json:"images,omitempty"`
}

// DefinitionsOf returns what a release says about how it can be edited.
func DefinitionsOf(release v1alpha1.Release) Definitions {
	return Definitions{Components: release.Components, Images: release.Images}
}

// Key identifies the definitions; it is empty for none.
func (d Definitions) Key() (string, error) {
	if len(d.Components) == 0 && len(d.Images) == 0 {
		return "", nil
	}
	written, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("components and images: %w", err)
	}
	return hexOf(written), nil
}

// IsNone reports whether a release stays as it is.
func (e Edit) IsNone() bool { return !e.ChangesBytes() && len(e.off) == 0 }

// ChangesBytes reports whether there are objects whose bytes may change.
func (e Edit) ChangesBytes() bool { return len(e.registries) > 0 || e.strip }

// Key identifies what becomes of the bytes of an object: 64 hexadecimal digits, or nothing
// if they stay.
func (e Edit) Key() string { return e.key }

// PlanKey identifies what becomes of a release with given definitions: which objects it
// has, and with which bytes.
func (e Edit) PlanKey() string {
	key := []string{e.key}
	for _, c := range e.off {
		key = append(key, c.Name)
	}
	return strings.Join(key, "\n")
}

// Touches reports whether an object may be changed: nothing else need be read.
func (e Edit) Touches(entry manifest.Entry) bool {
	return e.strip && entry.CRD != nil ||
		slices.ContainsFunc(entry.Images, func(image string) bool { return e.registries.image(image) != image }) ||
		slices.ContainsFunc(e.images, func(at v1alpha1.ImageLocation) bool { return isOf(at, entry.Ref) })
}

// Object changes an object, and reports whether it did. The error is EditInvalid for what
// is not where the release says that images are.
func (e Edit) Object(ref manifest.Ref, tree map[string]any) (changed bool, err error) {
	if e.strip && stripDescriptions(ref, tree) {
		changed = true
	}
	if e.registries.rewrite(ref, tree) {
		changed = true
	}
	for _, at := range e.images {
		if !isOf(at, ref) {
			continue
		}
		rewritten, err := e.registries.rewriteAt(at, tree)
		if err != nil {
			return false, fault.Stallf(v1alpha1.EditInvalidReason, "%s: images: %s %w", ref, at.Path, err)
		}
		changed = changed || rewritten
	}
	return changed, nil
}

// keyOf returns the hash of what decides about the bytes of edited objects.
func keyOf(registries registries, images []v1alpha1.ImageLocation, strip bool) (string, error) {
	written, err := json.Marshal([]any{registries, images, strip})
	if err != nil {
		return "", fmt.Errorf("edits: %w", err)
	}
	return hexOf(written), nil
}

// Digest returns the identity of what a Cluster gets of a release with the given digest
// that is edited: the digest itself if nothing is.
func Digest(release v1alpha1.Digest, edits v1alpha1.Edits) (v1alpha1.Digest, error) {
	edits = canonical(edits)
	written, err := json.Marshal(edits)
	switch {
	case err != nil:
		return "", fmt.Errorf("edits: %w", err)
	case string(written) == "{}":
		return release, nil
	}
	form := fmt.Appendf(nil, "addons.cluster.x-k8s.io/edited/v1\n%s\n%s\n", release, written)
	return v1alpha1.Digest("sha256:" + hexOf(form)), nil
}

// canonical returns edits in the form in which equal ones are equal texts.
func canonical(edits v1alpha1.Edits) v1alpha1.Edits {
	if edits.CRDDescriptions == v1alpha1.KeepCRDDescriptions {
		edits.CRDDescriptions = ""
	}
	edits.ImageRegistries = slices.SortedFunc(slices.Values(edits.ImageRegistries), func(a, b v1alpha1.ImageRegistry) int {
		return cmp.Compare(a.From, b.From)
	})
	edits.Components = slices.SortedFunc(slices.Values(edits.Components), func(a, b v1alpha1.ComponentChoice) int {
		return cmp.Compare(a.Name, b.Name)
	})
	return edits
}

func hexOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
