package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestTheAPIServerRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bundle func(*v1alpha1.Bundle)
		set    func(*v1alpha1.ClusterBundleSet)
		want   string
	}{
		"two phases of one name": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases = append(b.Spec.Releases[0].Phases, b.Spec.Releases[0].Phases[0])
			},
			want: `spec.releases\[0\].phases\[1\]: Duplicate value`,
		},
		"two releases of one version": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases = append(b.Spec.Releases, b.Spec.Releases[0]) },
			want:   `spec.releases\[1\]: Duplicate value`,
		},
		"a version that is none": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases[0].Version = "latest" },
			want:   "version must be a semantic version",
		},
		"more than 256 sources in all phases": {
			bundle: func(b *v1alpha1.Bundle) {
				phase := b.Spec.Releases[0].Phases[0]
				phase.Sources = slices.Repeat(phase.Sources[:1], 32)
				b.Spec.Releases[0].Phases = nil
				for i := range 9 {
					phase.Name = fmt.Sprintf("phase-%d", i)
					b.Spec.Releases[0].Phases = append(b.Spec.Releases[0].Phases, phase)
				}
			},
			want: "a release has at most 256 sources in all its phases",
		},
		"a source of two kinds": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0].File = &v1alpha1.FileSource{
					Path: "a.yaml", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}
			},
			want: "exactly one of the fields",
		},
		"a source of no kind": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases[0].Phases[0].Sources[0].Inline = nil },
			want:   "exactly one of the fields",
		},
		"a file outside of the bundle directory": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{File: &v1alpha1.FileSource{
					Path: "a/../../etc/passwd", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}}
			},
			want: "path",
		},
		"a digest that is not sha256": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
					URL: "https://example.org/a.yaml", Digest: "md5:" + v1alpha1.Digest(strings.Repeat("0", 67)),
				}}
			},
			want: "digest",
		},
		"a URL of another scheme": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
					URL: "ftp://example.org/a.yaml", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}}
			},
			want: "url",
		},
		"an empty selector": {
			set:  func(s *v1alpha1.ClusterBundleSet) { s.Spec.ClusterSelector.MatchLabels = nil },
			want: "clusterSelector",
		},
		"a set without a bundle": {
			set:  func(s *v1alpha1.ClusterBundleSet) { s.Spec.Bundle.Name = "" },
			want: "spec.bundle",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			bundle, set := validBundle(s), validSet(s)
			if tc.bundle != nil {
				tc.bundle(bundle)
				s.Expect(s.management.Client.Create(t.Context(), bundle)).To(MatchError(MatchRegexp(tc.want)))
				return
			}
			tc.set(set)
			s.Expect(s.management.Client.Create(t.Context(), set)).To(MatchError(MatchRegexp(tc.want)))
		})
	}
}

func validBundle(s *scenario) *v1alpha1.Bundle {
	b := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{
		release("1.0.0", phase("all", inline(good(s)))),
	}}}
	b.Namespace, b.Name = s.namespace, "valid"
	return b
}

func validSet(s *scenario) *v1alpha1.ClusterBundleSet {
	set := &v1alpha1.ClusterBundleSet{Spec: v1alpha1.ClusterBundleSetSpec{Bundle: v1alpha1.BundleSelector{Name: "valid"}}}
	set.Spec.ClusterSelector.MatchLabels = optIn("valid")
	set.Namespace, set.Name = s.namespace, "valid"
	return set
}
