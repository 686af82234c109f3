package release_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

var midnight = time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)

// readFor is the Reading of a version for a time, read as often as it is asked for.
func readFor(version string, steady time.Duration) release.Reading {
	var r release.Reading
	for at := time.Duration(0); at < steady; at += 20 * time.Second {
		r = r.Add(version, midnight.Add(at))
	}
	return r.Add(version, midnight.Add(steady))
}

func TestSettle(t *testing.T) {
	t.Parallel()
	const soon = 20 * time.Second
	tests := map[string]struct {
		givenKnown string
		given      release.Reading
		want       release.Settled
	}{
		"the first version is taken at once": {"", readFor("v1.36.3", 0), release.Settled{Version: "v1.36.3"}},
		"the known version stays":            {"v1.36.3", readFor("v1.36.3", 0), release.Settled{Version: "v1.36.3"}},
		"a newer version has to settle":      {"v1.35.0", readFor("v1.36.3", 0), release.Settled{"v1.35.0", soon}},
		"a moment before 2 minutes it is not taken": {
			"v1.35.0", readFor("v1.36.3", 2*time.Minute-1), release.Settled{"v1.35.0", soon},
		},
		"after 2 minutes it is": {"v1.35.0", readFor("v1.36.3", 2*time.Minute), release.Settled{Version: "v1.36.3"}},
		"so is a newer patch version": {
			"v1.36.2", readFor("v1.36.3", 2*time.Minute), release.Settled{Version: "v1.36.3"},
		},
		"so is another build of a vendor": {
			"v1.36.2-eks-a", readFor("v1.36.2-eks-b", 2*time.Minute), release.Settled{Version: "v1.36.2-eks-b"},
		},
		"an older version is not taken after 2 minutes": {
			"v1.36.3", readFor("v1.35.0", 2*time.Minute), release.Settled{"v1.36.3", soon},
		},
		"after 30 minutes it is": {"v1.36.3", readFor("v1.35.0", 30*time.Minute), release.Settled{Version: "v1.35.0"}},
		"a pre-release is older than its release": {
			"v1.37.0", readFor("v1.37.0-rc.1", 2*time.Minute), release.Settled{"v1.37.0", soon},
		},
		"what is no version has to settle as long as an older one": {
			"v1.36.3", readFor("out of order", 29*time.Minute), release.Settled{"v1.36.3", soon},
		},
		"what somebody wrote that is no version counts as none": {
			"latest", readFor("v1.36.3", 0), release.Settled{Version: "v1.36.3"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, release.Settle(test.givenKnown, test.given)); diff != "" {
				t.Errorf("settled (-want +got):\n%s", diff)
			}
		})
	}
}

func TestATimeWithoutReadingsCountsAsHalfAMinute(t *testing.T) {
	t.Parallel()
	r := release.Reading{}.Add("v1.36.3", midnight).Add("v1.36.3", midnight.Add(time.Hour))
	if r.Steady != 30*time.Second {
		t.Errorf("want 30s, got %v", r.Steady)
	}
	// A clock that was set back takes nothing away.
	if r = r.Add("v1.36.3", midnight); r.Steady != 30*time.Second {
		t.Errorf("want 30s, got %v", r.Steady)
	}
}

// TestAlternatingVersionsNeverSettle reads two versions in random order for hours,
// neither for 2 minutes on end.
func TestAlternatingVersionsNeverSettle(t *testing.T) {
	t.Parallel()
	const old, upgraded = "v1.35.0", "v1.36.0"
	random := rand.New(rand.NewPCG(8, 8))
	var r release.Reading
	at := midnight
	for range 2000 {
		version := upgraded
		if r.Steady > 100*time.Second || random.IntN(2) == 0 {
			version = old
		}
		at = at.Add(release.Settle(old, r).Again + time.Duration(random.IntN(1000))*time.Millisecond)
		r = r.Add(version, at)
		if got := release.Settle(old, r); got.Version != old {
			t.Fatalf("want %s to stay, got %+v by %+v", old, got, r)
		}
	}
	for release.Settle(old, r).Version == old {
		at = at.Add(20 * time.Second)
		if r = r.Add(upgraded, at); r.Steady > 3*time.Minute {
			t.Fatal("want the upgrade to settle at last")
		}
	}
}
