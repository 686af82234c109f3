package library

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

func TestOnlyAReleaseThatCanBeOpenedIsSelected(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	old := of(l.shelf.put("https://example.com/old.yaml", configMap("a")))
	old.Version = "1.0.0"
	broken := of(l.shelf.put("https://example.com/broken.yaml", "kind: ["))
	broken.Version = "1.1.0"
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: calico.Namespace, Name: calico.Name}}

	bundle.Spec.Releases = []v1alpha1.Release{old}
	_, err := l.Select(bundle, release.Query{})
	if !errors.Is(err, ErrFetching) {
		t.Fatalf("want it being fetched, got %v", err)
	}
	l.hear(t)
	selected, err := l.Select(bundle, release.Query{})
	if err != nil || selected.Version != "1.0.0" || selected.Digest != l.mustOpen(t, old).Digest {
		t.Errorf("want release 1.0.0 with its digest, got %+v, %v", selected, err)
	}

	bundle.Spec.Releases = []v1alpha1.Release{old, broken}
	_, _ = l.Select(bundle, release.Query{})
	l.hear(t)
	_, err = l.Select(bundle, release.Query{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ManifestInvalidReason, "broken.yaml")
}
