package release_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// calico has the releases of Calico and the Kubernetes versions they are tested with.
func calico() []v1alpha1.Release {
	return []v1alpha1.Release{
		{Version: "3.29.7", Kubernetes: ">=1.29.0-0 <1.33.0-0"},
		{Version: "3.30.7", Kubernetes: ">=1.31.0-0 <1.36.0-0"},
		{Version: "3.31.7", Kubernetes: ">=1.32.0-0 <1.36.0-0"},
		{Version: "3.32.1", Kubernetes: ">=1.34.0-0 <1.37.0-0"},
		{Version: "3.33.0-rc.1", Kubernetes: ">=1.35.0-0"},
	}
}

// versions returns releases without a Kubernetes constraint.
func versions(texts ...string) []v1alpha1.Release {
	var releases []v1alpha1.Release
	for _, text := range texts {
		releases = append(releases, v1alpha1.Release{Version: text})
	}
	return releases
}

func TestChoose(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenReleases   []v1alpha1.Release
		givenConstraint string
		givenKubernetes string
		want            string
	}{
		"the newest stable release that accepts the cluster": {
			givenReleases: calico(), givenKubernetes: "v1.36.3", want: "3.32.1",
		},
		"an older release for an older cluster": {
			givenReleases: calico(), givenKubernetes: "v1.33.1", want: "3.31.7",
		},
		"the oldest release for the oldest cluster": {
			givenReleases: calico(), givenKubernetes: "v1.29.0", want: "3.29.7",
		},
		"the constraint narrows the choice": {
			givenReleases: calico(), givenConstraint: "~3.30", givenKubernetes: "v1.35.0", want: "3.30.7",
		},
		"an exact version is a constraint": {
			givenReleases: calico(), givenConstraint: "3.31.7", givenKubernetes: "1.32.9", want: "3.31.7",
		},
		"a constraint that names a pre-release accepts one": {
			givenReleases: calico(), givenConstraint: ">=3.32.0-0", givenKubernetes: "v1.36.3", want: "3.33.0-rc.1",
		},
		"a pre-release that does not accept the cluster gives way to a stable release": {
			givenReleases: calico(), givenConstraint: ">=3.32.0-0", givenKubernetes: "v1.34.0", want: "3.32.1",
		},
		"a constraint of blanks is none": {
			givenReleases: calico(), givenConstraint: "  ", givenKubernetes: "v1.36.3", want: "3.32.1",
		},
		"alternatives in a constraint": {
			givenReleases: calico(), givenConstraint: "~3.29 || ~3.31", givenKubernetes: "v1.32.0", want: "3.31.7",
		},
		"an unknown Kubernetes version does not matter without constraints on it": {
			givenReleases: versions("1.0.0", "1.2.0", "1.1.0"), want: "1.2.0",
		},
		"only the releases that satisfy the constraint decide whether to wait": {
			givenReleases: append(calico(), versions("3.28.5")...), givenConstraint: "~3.28", want: "3.28.5",
		},
		"a Kubernetes constraint of blanks is none": {
			givenReleases: []v1alpha1.Release{{Version: "1.0.0", Kubernetes: " "}}, want: "1.0.0",
		},
		"versions are compared as numbers": {
			givenReleases: versions("3.9.0", "3.10.0", "3.2.0"), want: "3.10.0",
		},
		"a leading v does not matter": {
			givenReleases: versions("v1.1.0", "1.0.0", "v0.9.0"), givenConstraint: "^1", want: "v1.1.0",
		},
		"build metadata is newer than none": {
			givenReleases: versions("1.0.0+build.1", "1.0.0"), want: "1.0.0+build.1",
		},
		"build metadata is compared as numbers where it is one": {
			givenReleases: versions("1.0.0+build.9", "1.0.0+build.10"), want: "1.0.0+build.10",
		},
		"versions that mean the same are ordered by their text": {
			givenReleases: versions("v1.0.0", "1.0.0"), want: "v1.0.0",
		},
		"a number in build metadata is older than a word": {
			givenReleases: versions("1.0.0+9", "1.0.0+a"), want: "1.0.0+a",
		},
		"words in build metadata are compared as text": {
			givenReleases: versions("1.0.0+a", "1.0.0+b", "1.0.0+a.1"), want: "1.0.0+b",
		},
		"build metadata that means the same is ordered by its text": {
			givenReleases: versions("1.0.0+1", "1.0.0+01"), want: "1.0.0+1",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(8) {
				got, err := release.Choose(shuffled(tc.givenReleases, seed), tc.givenConstraint, tc.givenKubernetes)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				if got.Version != tc.want {
					t.Errorf("seed %d: chose %s, want %s", seed, got.Version, tc.want)
				}
			}
		})
	}
}

func TestChooseReturnsTheReleaseAsItWasGiven(t *testing.T) {
	t.Parallel()
	want := v1alpha1.Release{
		Version:    "v3.32.1+x",
		Kubernetes: ">= 1.34.0-0",
		Phases:     []v1alpha1.Phase{{Name: "crds"}},
	}
	got, err := release.Choose([]v1alpha1.Release{want}, "", "v1.36.3")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("release (-want +got):\n%s", diff)
	}
}

func TestChooseDoesNotReorderItsInput(t *testing.T) {
	t.Parallel()
	given := calico()
	if _, err := release.Choose(given, "", "v1.36.3"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(calico(), given); diff != "" {
		t.Errorf("input (-before +after):\n%s", diff)
	}
}

func TestKubernetesVersions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given           string
		givenConstraint string
		want            bool
	}{
		"a plain version":        {"v1.34.2", ">=1.34.0", true},
		"a version without v":    {"1.34.2", ">=1.34.0", true},
		"K3s":                    {"v1.34.2+k3s1", ">=1.34.0", true},
		"RKE2":                   {"v1.34.2+rke2r1", ">=1.34.2", true},
		"EKS":                    {"v1.34.0-eks-abc", ">=1.34.0", true},
		"EKS of an older minor":  {"v1.33.9-eks-0123456", ">=1.34.0", false},
		"GKE":                    {"v1.34.0-gke.100", ">=1.34.0", true},
		"GKE with leading zeros": {"v1.34.0-gke.0100", ">=1.34.0", true},
		"a vendor's suffix is not below the release": {"v1.34.0-gke.100", "<1.34.0-0", false},
		"a vendor's suffix with metadata":            {"v1.34.8-vmware.2+tkg.1", "~1.34.8", true},
		"a suffix that only begins like one":         {"v1.34.0-alpine", ">=1.34.0", true},
		"an alpha is before its release":             {"v1.34.0-alpha.3", ">=1.34.0", false},
		"a beta is before its release":               {"v1.34.0-beta.0", ">=1.34.0", false},
		"a candidate is before its release":          {"v1.34.0-rc.1", ">=1.34.0", false},
		"a candidate with its number joined":         {"v1.34.0-rc1", ">=1.34.0", false},
		"a candidate and a constraint with -0":       {"v1.34.0-rc.1", ">=1.34.0-0", true},
		"a later candidate and a stable constraint":  {"v1.35.0-rc.1", ">=1.34.0", false},
		"a candidate of the first minor that is out": {"v1.37.0-rc.0", ">=1.34.0-0 <1.37.0-0", false},
		"a candidate built from a commit": {
			"v1.34.0-alpha.2.145+0a1b2c3-dirty", ">=1.34.0-alpha.2", true,
		},
		"a vendor's build of a candidate":             {"v1.34.0-rc.1-gke.5", ">=1.34.0-0", true},
		"the end of the range is out of it":           {"v1.37.0", ">=1.34.0-0 <1.37.0-0", false},
		"the last patch of the range is in it":        {"v1.36.99+k3s2", ">=1.34.0-0 <1.37.0-0", true},
		"a constraint with a hyphen is a range":       {"v1.35.1", "1.34 - 1.36", true},
		"a constraint with a wildcard accepts a path": {"v1.35.1-eks-1", "1.35.x", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := []v1alpha1.Release{{Version: "1.0.0", Kubernetes: tc.givenConstraint}}
			_, err := release.Choose(given, "", tc.given)
			if got := err == nil; got != tc.want {
				t.Errorf("%s accepts %s: %t, want %t (%v)", tc.givenConstraint, tc.given, got, tc.want, err)
			}
		})
	}
}

func TestChooseErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenReleases   []v1alpha1.Release
		givenConstraint string
		givenKubernetes string
		wantClass       fault.Class
		wantReason      string
		want            string
	}{
		"the Kubernetes version is not known yet": {
			givenReleases: calico(),
			wantClass:     fault.ClassWait, wantReason: v1alpha1.VersionNotChosenReason,
			want: "the Kubernetes version of the cluster is not known yet",
		},
		"one constrained candidate is enough to wait": {
			givenReleases: append(calico(), versions("3.40.0")...),
			wantClass:     fault.ClassWait, wantReason: v1alpha1.VersionNotChosenReason,
			want: "the Kubernetes version of the cluster is not known yet",
		},
		"an unknown Kubernetes version does not hide a constraint that nothing satisfies": {
			givenReleases: calico(), givenConstraint: "~4",
			wantClass: fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: `no release satisfies the version constraint "~4", ` +
				`the releases are: 3.33.0-rc.1; 3.32.1; 3.31.7; 3.30.7; 3.29.7`,
		},
		"no releases": {
			givenKubernetes: "v1.36.3",
			wantClass:       fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: "the bundle has no releases",
		},
		"only pre-releases and no constraint": {
			givenReleases: versions("1.0.0-rc.1", "1.0.0-rc.2"), givenKubernetes: "v1.36.3",
			wantClass: fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: "no release is stable, the releases are: 1.0.0-rc.2; 1.0.0-rc.1",
		},
		"a cluster that is too old for the release": {
			givenReleases: calico(), givenConstraint: "~3.32", givenKubernetes: "v1.33.1",
			wantClass: fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: "no release fits: 3.32.1 needs Kubernetes >=1.34.0-0 <1.37.0-0, the cluster has v1.33.1",
		},
		"only the releases that satisfy the constraint are listed, newest first": {
			givenReleases: calico(), givenConstraint: "<3.32.0", givenKubernetes: "v1.37.0",
			wantClass: fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: "no release fits: 3.31.7 needs Kubernetes >=1.32.0-0 <1.36.0-0, the cluster has v1.37.0; " +
				"3.30.7 needs Kubernetes >=1.31.0-0 <1.36.0-0, the cluster has v1.37.0; " +
				"3.29.7 needs Kubernetes >=1.29.0-0 <1.33.0-0, the cluster has v1.37.0",
		},
		"more than five releases are counted": {
			givenReleases:   versions("1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0", "6.0.0", "7.0.0"),
			givenConstraint: "~9",
			wantClass:       fault.ClassStall, wantReason: v1alpha1.NoReleaseFitsReason,
			want: `no release satisfies the version constraint "~9", ` +
				`the releases are: 7.0.0; 6.0.0; 5.0.0; 4.0.0; 3.0.0; and 2 more`,
		},
		"a version that is not semantic": {
			givenReleases: append(calico(), versions("3.32")...), givenKubernetes: "v1.36.3",
			wantClass: fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `release "3.32": version: `,
		},
		"a Kubernetes constraint that cannot be parsed, though another release would fit": {
			givenReleases:   append(calico(), v1alpha1.Release{Version: "1.0.0", Kubernetes: ">=one"}),
			givenKubernetes: "v1.36.3",
			wantClass:       fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `release 1.0.0: kubernetes constraint ">=one": is not a semantic version constraint`,
		},
		"of several broken releases the same one is named": {
			givenReleases: []v1alpha1.Release{
				{Version: "3.0.0", Kubernetes: "?"}, {Version: "1.0.0", Kubernetes: "?"}, {Version: "2.0.0",
					Kubernetes: "?"},
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `release 1.0.0: kubernetes constraint "?"`,
		},
		"a version constraint that cannot be parsed": {
			givenReleases: calico(), givenConstraint: "latest", givenKubernetes: "v1.36.3",
			wantClass: fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `version constraint "latest": is not a semantic version constraint`,
		},
		"a Kubernetes version that cannot be parsed": {
			givenReleases: calico(), givenKubernetes: "v1.36",
			wantClass: fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `version of Kubernetes "v1.36": `,
		},
		"a Kubernetes version that is only a suffix": {
			givenReleases: calico(), givenKubernetes: "v-eks",
			wantClass: fault.ClassStall, wantReason: v1alpha1.ConstraintInvalidReason,
			want: `version of Kubernetes "v-eks": `,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(8) {
				got, err := release.Choose(shuffled(tc.givenReleases, seed), tc.givenConstraint, tc.givenKubernetes)
				if err == nil {
					t.Fatalf("chose %s, want an error", got.Version)
				}
				if class := fault.ClassOf(err); class != tc.wantClass {
					t.Errorf("class %d, want %d", class, tc.wantClass)
				}
				if diff := cmp.Diff(tc.wantReason, fault.ReasonOf(err, "")); diff != "" {
					t.Errorf("reason (-want +got):\n%s", diff)
				}
				if !strings.HasPrefix(err.Error(), tc.want) {
					t.Errorf("message %q, want it to begin with %q", err, tc.want)
				}
				if got.Version != "" {
					t.Errorf("chose %s beside the error", got.Version)
				}
			}
		})
	}
}

func TestChooseKeepsMessagesShort(t *testing.T) {
	t.Parallel()
	long := ">=1.99.0" + strings.Repeat(" ,>=1.99.0", 24)
	var given []v1alpha1.Release
	for i := range 64 {
		given = append(given, v1alpha1.Release{
			Version:    fmt.Sprintf("%d.0.0-%s", i, strings.Repeat("a", 58)),
			Kubernetes: long,
		})
	}
	tests := map[string]struct{ constraint, kubernetes string }{
		"no candidate":        {constraint: strings.Repeat("~9 ", 80), kubernetes: "v1.36.3"},
		"no fit":              {constraint: ">=0.0.0-0", kubernetes: "v1.36.3-" + strings.Repeat("x", 4096)},
		"broken constraint":   {constraint: strings.Repeat("é ", 4096)},
		"broken Kubernetes":   {kubernetes: strings.Repeat("\n\x00", 4096)},
		"unreadable patterns": {constraint: strings.Repeat("~", 4096)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := release.Choose(given, tc.constraint, tc.kubernetes)
			if err == nil {
				t.Fatal("no error")
			}
			if n := len(err.Error()); n > 1024 {
				t.Errorf("the message has %d bytes: %s", n, err)
			}
			if strings.ContainsAny(err.Error(), "\n\x00") {
				t.Errorf("the message has control characters: %q", err)
			}
		})
	}
}

func FuzzChoose(f *testing.F) {
	f.Add("3.32.1", ">=1.34.0-0 <1.37.0-0", "~3.32", "v1.36.3")
	f.Add("v1.0.0+1", "", "", "v1.33.0-eks-abc")
	f.Add("1.0.0-rc.1", "x", ">", "v-")
	f.Fuzz(func(t *testing.T, version, needs, constraint, kubernetes string) {
		given := append(calico(), v1alpha1.Release{Version: version, Kubernetes: needs})
		got, err := release.Choose(given, constraint, kubernetes)
		again, againErr := release.Choose(shuffled(given, 1), constraint, kubernetes)
		if got.Version != again.Version || fmt.Sprint(err) != fmt.Sprint(againErr) {
			t.Errorf("%s %v, in another order %s %v", got.Version, err, again.Version, againErr)
		}
		if err != nil && fault.ClassOf(err) == fault.ClassRetry {
			t.Errorf("an error without a class: %v", err)
		}
	})
}

// shuffled returns the releases in another order.
func shuffled(releases []v1alpha1.Release, seed uint64) []v1alpha1.Release {
	out := append([]v1alpha1.Release(nil), releases...)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}
