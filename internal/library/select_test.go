package library

import (
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

func TestAReleaseWithFindingsIsNotSelectedByTheValidationStrict(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	odd := of(l.shelf.put("https://example.com/odd.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {odd: 1}\n"))
	odd.Version = "1.0.0"
	opened := l.mustOpen(t, odd)
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: calico.Namespace, Name: calico.Name}}
	bundle.Spec.Releases = []v1alpha1.Release{odd}

	selected, err := l.Select(bundle, release.Query{})
	if err != nil || selected.Digest != opened.Digest {
		t.Errorf("want it selected, got %+v, %v", selected, err)
	}
	if len(opened.Warnings) != 1 || !strings.HasPrefix(opened.Warnings[0], "odd.yaml, document 1 (line 1): Service a: spec.odd: ") {
		t.Errorf("want what was found with its place, got %q", opened.Warnings)
	}
	bundle.Spec.Validation = v1alpha1.StrictValidation
	_, err = l.Select(bundle, release.Query{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ManifestInvalidReason, opened.Warnings[0])
}

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
