package oci_test

import (
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

// FuzzManifest reads anything as a manifest and as the config of a bundle: it must not
// panic, must give each refusal a reason, and names only layers that can be asked for.
func FuzzManifest(f *testing.F) {
	bundle := ocitest.NewBundle(ocitest.Phase{Name: "a", Manifests: []byte(content)})
	f.Add(artifact().Manifest, []byte(`{}`))
	f.Add(ocitest.NewIndex(artifact().Digest()).Manifest, []byte(`{}`))
	f.Add(ocitest.NewIndex(artifact().Digest(), bundle.Digest()).Manifest, []byte(`[]`))
	f.Add([]byte(`{"layers":[{"digest":"sha256:0","size":-1},{},null]}`), []byte(`{"phases":[{"name":"a"}]}`))
	plan, _, err := oci.PlanOf(bundle.Manifest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bundle.Manifest, bundle.Blobs[plan.Digest])
	f.Fuzz(func(t *testing.T, manifest, config []byte) {
		layers, err := oci.Layers(manifest, nil, anything)
		checkLayers(t, layers, err)
		_ = oci.HasLayer(manifest, yamlType)
		_, _, err = oci.PlanOf(manifest)
		checkLayers(t, nil, err)
		phases, err := oci.Phases(manifest, config)
		for _, phase := range phases {
			checkLayers(t, []oci.Layer{phase.Layer}, err)
		}
		checkLayers(t, nil, err)
	})
}

// checkLayers checks what came out of a manifest, or why nothing did.
func checkLayers(t *testing.T, layers []oci.Layer, err error) {
	t.Helper()
	if err != nil {
		known := fault.ReasonOf(err, "") == v1alpha1.ArtifactInvalidReason ||
			fault.ReasonOf(err, "") == v1alpha1.LimitExceededReason || fault.ReasonOf(err, "") == v1alpha1.DigestMismatchReason
		if !known || fault.ClassOf(err) != fault.ClassStall || len(err.Error()) > 2048 {
			t.Errorf("want a reason and a short message, got %v", err)
		}
	}
	if len(layers) > oci.MaxLayers {
		t.Errorf("%d layers", len(layers))
	}
	for _, layer := range layers {
		if layer.Size < 0 || layer.Digest.Validate() != nil || layer.Digest.Algorithm() != digest.SHA256 {
			t.Errorf("a layer that cannot be asked for: %+v", layer)
		}
	}
}
