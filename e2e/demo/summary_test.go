package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestPrintRollouts(t *testing.T) {
	t.Parallel()
	phases := []v1alpha1.Phase{{Name: "crds"}, {Name: "operator"}, {Name: "other"}}
	members := []*member{
		{name: "berlin", rollout: rollout{
			phases: map[string]time.Duration{
				"crds": 1500 * time.Millisecond, "operator": 2 * time.Second, "other": 3 * time.Second,
			},
			ready: 4 * time.Second,
			requests: []testenv.Request{
				{Verb: "patch", Sent: 1_500_000, Received: 10}, {Verb: "patch", Sent: 1}, {Verb: "get", Received: 2000},
			},
		}},
		{name: "oslo", rollout: rollout{
			phases: map[string]time.Duration{"crds": time.Second},
			ready:  5 * time.Second, requests: []testenv.Request{{Verb: "watch", Received: 5}},
		}},
	}
	const want = `SUMMARY                       BERLIN    OSLO
label -> CRDs served          1.50 s    1.00 s
label -> operator available   2.00 s    0.00 s
label -> phase other ready    3.00 s    0.00 s
label -> Ready                4.00 s    5.00 s
get requests                  1         0
patch requests                2         0
watch requests                0         1
sent                          1.50 MB   0 B
received                      2.0 kB    5 B
`
	var out strings.Builder
	if err := printRollouts(&out, phases, members); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDownloadsText(t *testing.T) {
	t.Parallel()
	names := []string{"a.yaml", "b.yaml"}
	tests := map[string]struct {
		given map[string]int
		want  string
	}{
		"each file once": {
			map[string]int{"a.yaml": 1, "b.yaml": 1},
			"a.yaml 1, b.yaml 1: 1 download per file for 2 clusters",
		},
		"a file twice": {map[string]int{"a.yaml": 1, "b.yaml": 2}, "a.yaml 1, b.yaml 2"},
		"a file never": {map[string]int{"a.yaml": 1}, "a.yaml 1, b.yaml 0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := downloadsText(names, func(name string) int { return tc.given[name] }, 2)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBytesText(t *testing.T) {
	t.Parallel()
	for given, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 2_500_000: "2.50 MB", 84_980_000: "84.98 MB",
	} {
		if got := bytesText(given); got != want {
			t.Errorf("%d: want %s, got %s", given, want, got)
		}
	}
}
