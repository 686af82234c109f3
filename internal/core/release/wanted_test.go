package release_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

func TestAReleaseIsChosenForTheUpgradeOfKubernetesThatWaitsForIt(t *testing.T) {
	t.Parallel()
	all := releases(calico()...)
	const none = "no release admits both Kubernetes v1.33.4 and v1.36.0"
	tests := map[string]struct {
		given      release.Query
		want       string // version
		wantAdmits bool
		wantBehind string
		wantEvent  string
	}{
		"no upgrade is wanted": {
			given: release.Query{Kubernetes: "v1.33.4"}, want: "3.31.7",
		},
		"the release that it has admits both": {
			given: release.Query{Kubernetes: "v1.34.4", Wanted: "v1.35.1", Pinned: as("3.32.1"), Ready: true}, want: "3.32.1", wantAdmits: true,
		},
		"the Cluster has what it asks for": {
			given: release.Query{Kubernetes: "v1.34.4", Wanted: "v1.34.4", Pinned: as("3.32.1"), Ready: true}, want: "3.32.1", wantAdmits: true,
		},
		"a newer release admits both": {
			given: release.Query{Kubernetes: "v1.35.0", Wanted: "v1.36.0", Pinned: as("3.31.7"), Ready: true, Constraint: ">=3.31.0"},
			want:  "3.32.1", wantAdmits: true,
			wantEvent: "release 3.32.1 is pinned in place of 3.31.7: 3.31.7 does not admit Kubernetes v1.36.0, which the Cluster is to have",
		},
		"the newest for the version that it has does not admit the other one": {
			given: release.Query{
				Bundle: releases(append(calico(), v1alpha1.Release{Version: "3.34.0", Kubernetes: "<1.36.0-0"})...), Kubernetes: "v1.35.0", Wanted: "v1.36.0",
			},
			want: "3.32.1", wantAdmits: true,
		},
		"none admits both": {
			given: release.Query{Kubernetes: "v1.33.4", Wanted: "v1.36.0", Pinned: as("3.31.7"), Ready: true}, want: "3.31.7", wantBehind: none,
		},
		"one that does is ruled out by the set": {
			given: release.Query{Kubernetes: "v1.35.0", Wanted: "v1.36.0", Pinned: as("3.31.7"), Ready: true, Constraint: "~3.31"},
			want:  "3.31.7", wantBehind: "no release admits both Kubernetes v1.35.0 and v1.36.0",
		},
		"on the way to it": {
			given: release.Query{
				EachMinor: true, Kubernetes: "v1.35.0", Wanted: "v1.36.0", Pinned: as("3.30.7"), Ready: true,
			},
			want: "3.31.7", wantBehind: "on the way to 3.32.1",
			wantEvent: "release 3.31.7 is pinned in place of 3.30.7: on the way to 3.32.1",
		},
		"it failed, and was rolled back from": {
			given: release.Query{
				Kubernetes: "v1.35.0", Wanted: "v1.36.0", Pinned: as("3.31.7"), Ready: true, Failed: failed(as("3.32.1")),
			},
			want: "3.31.7", wantBehind: "release 3.32.1 failed and was rolled back",
		},
		"what was rolled back to admits both": {
			given: release.Query{
				Bundle: releases(versions("1.0.0", "1.1.0")...), Kubernetes: "v1.35.0", Wanted: "v1.36.0", Pinned: as("1.0.0"), Failed: failed(as("1.1.0")),
			},
			want: "1.0.0", wantAdmits: true, wantBehind: "release 1.1.0 failed and was rolled back",
		},
		"a version that cannot be read": {
			given: release.Query{Kubernetes: "v1.35.0", Wanted: "latest"}, want: "3.32.1", wantBehind: "no release admits both Kubernetes v1.35.0 and latest",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			q := test.given
			if len(q.Bundle.Releases) == 0 {
				q.Bundle = all
			}
			q.Digest = func(r v1alpha1.Release) (v1alpha1.Digest, error) { return as(r.Version).Digest, nil }
			got, err := release.Select(q)
			if err != nil {
				t.Fatal(err)
			}
			behind := ""
			if got.Behind != nil {
				behind = got.Behind.Error()
			}
			if got.Version != test.want || got.AdmitsWanted != test.wantAdmits || !strings.HasPrefix(behind, test.wantBehind) ||
				behind != "" && test.wantBehind == "" {
				t.Errorf("want %s, %t, %q, got %s, %t, %q", test.want, test.wantAdmits, test.wantBehind, got.Version, got.AdmitsWanted, behind)
			}
			if strings.HasPrefix(behind, "no release") && fault.ReasonOf(got.Behind, "") != v1alpha1.KubernetesUpgradeHeldReason {
				t.Errorf("want a reason of its own, got %s", fault.ReasonOf(got.Behind, ""))
			}
			if diff := cmp.Diff(test.wantEvent, q.Change(got)); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	}
}

// A Cluster of which the version is not known yet must not get a release for the wanted
// version alone.
func TestWithoutTheVersionThatTheClusterHasNoReleaseIsChosenForTheOneThatItAsksFor(t *testing.T) {
	t.Parallel()
	unknown := fault.Wait(v1alpha1.ClusterNotConnectedReason, 0, errors.New("is not connected"))
	_, err := release.Select(release.Query{Bundle: releases(calico()...), Wanted: "v1.36.0", Unknown: unknown})
	if !errors.Is(err, unknown) {
		t.Errorf("want it to wait, got %v", err)
	}
}
