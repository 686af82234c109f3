package release_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

func TestSelect(t *testing.T) {
	t.Parallel()
	one := v1alpha1.Release{Version: "1.0.0"}
	constrained := v1alpha1.Release{Version: "1.1.0", Kubernetes: ">=1.34.0-0"}
	chart := v1alpha1.Release{Version: "1.2.0", Phases: []v1alpha1.Phase{
		{Name: "all", Sources: []v1alpha1.Source{{Helm: &v1alpha1.HelmSource{Chart: "https://example.com/a"}}}},
	}}
	away := fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errors.New("not connected"))
	noDigest := fault.Wait(v1alpha1.FetchingReason, 0, errors.New("being fetched"))
	tests := map[string]struct {
		given      release.Query
		want       string
		wantReason string
	}{
		"the newest release that fits": {
			given: release.Query{Bundle: releases(one, constrained), Kubernetes: "v1.36.0"}, want: "1.1.0",
		},
		"the newest one within the constraint of the set": {
			given: release.Query{Bundle: releases(one, constrained), Constraint: "<1.1", Kubernetes: "v1.36.0"}, want: "1.0.0",
		},
		"a release for any version needs no version": {
			given: release.Query{Bundle: releases(one), Unknown: away}, want: "1.0.0",
		},
		"a release for some versions waits until the version is known": {
			given:      release.Query{Bundle: releases(one, constrained), Unknown: away},
			wantReason: v1alpha1.ClusterNotConnectedReason,
		},
		"so does a chart, which is rendered for the version": {
			given: release.Query{Bundle: releases(chart), Unknown: away}, wantReason: v1alpha1.ClusterNotConnectedReason,
		},
		"without a reason why the version is not known it waits all the same": {
			given: release.Query{Bundle: releases(constrained)}, wantReason: v1alpha1.VersionNotChosenReason,
		},
		"no release fits": {
			given:      release.Query{Bundle: releases(one), Constraint: ">=2", Kubernetes: "v1.36.0"},
			wantReason: v1alpha1.NoReleaseFitsReason,
		},
		"a source that has to be signed and cannot be": {
			given: release.Query{
				Bundle:     v1alpha1.BundleSpec{Releases: []v1alpha1.Release{chart}, Verify: &v1alpha1.Verify{}},
				Kubernetes: "v1.36.0",
			},
			wantReason: v1alpha1.SignatureMissingReason,
		},
		"a digest that is not known yet": {
			given: release.Query{
				Bundle: releases(one), Digest: func(v1alpha1.Release) (v1alpha1.Digest, error) { return "", noDigest },
			},
			wantReason: v1alpha1.FetchingReason,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.given.Digest == nil {
				test.given.Digest = func(r v1alpha1.Release) (v1alpha1.Digest, error) {
					return v1alpha1.Digest("digest of " + r.Version), nil
				}
			}
			got, err := release.Select(test.given)
			if reason := fault.ReasonOf(err, ""); reason != test.wantReason || (err != nil) != (test.wantReason != "") {
				t.Fatalf("want the reason %q, got %v", test.wantReason, err)
			}
			want := release.Selection{}
			if test.want != "" {
				want.ReleaseReference = v1alpha1.ReleaseReference{
					Version: test.want, Digest: v1alpha1.Digest("digest of " + test.want),
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("selection (-want +got):\n%s", diff)
			}
		})
	}
}

func releases(all ...v1alpha1.Release) v1alpha1.BundleSpec { return v1alpha1.BundleSpec{Releases: all} }
