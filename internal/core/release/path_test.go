package release_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// pathFrom follows Next from a release to the target, and returns the releases that it
// leads through and the error that it ends with.
func pathFrom(
	releases []v1alpha1.Release, pinned string, target v1alpha1.Release, kubernetes string,
) (path []string, err error) {
	for range len(releases) + 1 {
		next, err := release.Next(releases, pinned, target, kubernetes)
		if err != nil {
			return path, err
		}
		path, pinned = append(path, next.Version), next.Version
		if next.Version == target.Version {
			return path, nil
		}
	}
	return path, fmt.Errorf("no end of %v", path)
}

func TestThePathToARelease(t *testing.T) {
	t.Parallel()
	plain := versions("1.0.0", "1.0.1", "1.1.0", "1.1.2", "1.1.1", "1.2.0", "1.2.1-rc.1", "2.1.0", "2.1.3", "2.2.0", "2.3.0")
	tests := map[string]struct {
		givenReleases   []v1alpha1.Release
		givenPinned     string
		givenTarget     string
		givenKubernetes string
		want            string
		wantReason      string
		wantMessage     string
	}{
		"Calico on a cluster that all of them admit in between": {
			calico(), "3.29.7", "3.32.1", "v1.35.0", "3.30.7 3.31.7 3.32.1", "", "",
		},
		"Calico on a cluster that is too new for a step": {
			calico(), "3.29.7", "3.32.1", "v1.36.3", "", v1alpha1.NoUpgradePathReason,
			"the way from 3.29.7 to 3.32.1: 3.30.7 needs Kubernetes >=1.31.0-0 <1.36.0-0, the cluster has v1.36.3",
		},
		"the newest of each minor version": {plain, "1.0.0", "1.2.0", "v1.36.0", "1.1.2 1.2.0", "", ""},
		"the next minor version":           {plain, "1.1.0", "1.2.0", "v1.36.0", "1.2.0", "", ""},
		"the same minor version":           {plain, "1.1.0", "1.1.2", "v1.36.0", "1.1.2", "", ""},
		"a downgrade is direct":            {plain, "2.3.0", "1.0.0", "v1.36.0", "1.0.0", "", ""},
		"without a release that is pinned": {plain, "", "2.3.0", "v1.36.0", "2.3.0", "", ""},
		"from what is no version":          {plain, "latest", "2.3.0", "v1.36.0", "2.3.0", "", ""},
		"over a major version": {
			plain, "1.0.0", "2.3.0", "v1.36.0", "1.1.2 1.2.0 2.1.3 2.2.0 2.3.0", "", "",
		},
		"from a release that is not listed any more": {
			plain, "1.0.9", "1.2.0", "v1.36.0", "1.1.2 1.2.0", "", "",
		},
		"from the last minor version, which is not listed any more": {
			plain, "1.3.0", "2.2.0", "v1.36.0", "2.1.3 2.2.0", "", "",
		},
		"to the first minor version of the next major one": {plain, "1.2.0", "2.1.0", "v1.36.0", "2.1.0", "", ""},
		"to a pre-release": {
			versions("1.0.0", "1.1.0", "1.1.1-rc.1", "1.2.0-rc.1"), "1.0.0", "1.2.0-rc.1", "v1.36.0", "1.1.0 1.2.0-rc.1", "", "",
		},
		"a minor version is missing": {
			versions("1.0.0", "1.2.0"), "1.0.0", "1.2.0", "v1.36.0", "", v1alpha1.NoUpgradePathReason,
			"the way from 1.0.0 to 1.2.0: no release of 1.1 is listed",
		},
		"a minor version has pre-releases only": {
			versions("1.0.0", "1.1.0-rc.1", "1.2.0"), "1.0.0", "1.2.0", "v1.36.0", "", v1alpha1.NoUpgradePathReason, "no release of 1.1",
		},
		"a major version is missing": {
			versions("1.0.0", "3.0.0"), "1.0.0", "3.0.0", "v1.36.0", "", v1alpha1.NoUpgradePathReason, "major version 2",
		},
		"a newer release of a step does not admit the cluster": {
			append(versions("1.0.0", "1.1.0", "1.2.0"), v1alpha1.Release{Version: "1.1.1", Kubernetes: ">=1.37.0-0"}),
			"1.0.0", "1.2.0", "v1.36.0", "1.1.0 1.2.0", "", "",
		},
		"it is not known whether a step admits the cluster": {
			append(versions("1.0.0", "1.2.0"), v1alpha1.Release{Version: "1.1.1", Kubernetes: ">=1.37.0-0"}),
			"1.0.0", "1.2.0", "", "", v1alpha1.VersionNotChosenReason, "not known yet",
		},
		"the version of the cluster is none": {
			versions("1.0.0", "1.1.0", "1.2.0"), "1.0.0", "1.2.0", "latest", "", v1alpha1.ConstraintInvalidReason, "latest",
		},
		"a release that cannot be parsed": {
			versions("1.0.0", "1.1", "1.2.0"), "1.0.0", "1.2.0", "v1.36.0", "", v1alpha1.ConstraintInvalidReason, "1.1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := test.givenReleases[slices.IndexFunc(test.givenReleases, func(r v1alpha1.Release) bool {
				return r.Version == test.givenTarget
			})]
			for seed := range uint64(4) {
				got, err := pathFrom(shuffled(test.givenReleases, seed), test.givenPinned, target, test.givenKubernetes)
				if fault.ReasonOf(err, "") != test.wantReason || err != nil && !strings.Contains(err.Error(), test.wantMessage) {
					t.Fatalf("want the reason %q and %q, got %v", test.wantReason, test.wantMessage, err)
				}
				if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
					t.Errorf("path (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestNoPathSkipsAMinorVersion follows the paths between random releases, of which some
// are missing or do not admit the cluster.
func TestNoPathSkipsAMinorVersion(t *testing.T) {
	t.Parallel()
	const kubernetes = "v1.36.0"
	ended := make(map[bool]int)
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 8))
		releases := randomReleases(random)
		target, err := release.Choose(releases, "", kubernetes)
		if err != nil {
			continue
		}
		pinned := releases[random.IntN(len(releases))].Version
		path, err := pathFrom(releases, pinned, target, kubernetes)
		ended[err == nil]++
		if err != nil && fault.ReasonOf(err, "") != v1alpha1.NoUpgradePathReason {
			t.Fatalf("seed %d: %v", seed, err)
		}
		before := semver.MustParse(pinned)
		for _, step := range path {
			after := semver.MustParse(step)
			sameMajor := before.Major() == after.Major() && after.Minor() <= before.Minor()+1
			nextMajor := after.Major() == before.Major()+1 && !listsBetween(releases, before, after)
			if before.LessThan(after) && !sameMajor && !nextMajor {
				t.Fatalf("seed %d: %s to %s skips a minor version of %v", seed, before, after, releases)
			}
			before = after
		}
	}
	if ended[true] < 100 || ended[false] < 100 {
		t.Errorf("want paths that end and that do not, got %v", ended)
	}
}

func randomReleases(random *rand.Rand) []v1alpha1.Release {
	all := versions("1.0.0")
	for major := 1; major <= 2; major++ {
		for minor := range 4 {
			for patch := range 2 {
				r := v1alpha1.Release{Version: fmt.Sprintf("%d.%d.%d", major, minor, patch)}
				if random.IntN(6) == 0 {
					r.Kubernetes = "<1.36.0-0"
				}
				if random.IntN(4) > 0 && r.Version != "1.0.0" {
					all = append(all, r)
				}
			}
		}
	}
	return all
}

// listsBetween reports whether a minor version between those of two releases is listed.
func listsBetween(releases []v1alpha1.Release, before, after *semver.Version) bool {
	return slices.ContainsFunc(releases, func(r v1alpha1.Release) bool {
		v := semver.MustParse(r.Version)
		afterOld := v.Major() == before.Major() && v.Minor() > before.Minor()
		beforeNew := v.Major() == after.Major() && v.Minor() < after.Minor()
		return afterOld || beforeNew
	})
}
