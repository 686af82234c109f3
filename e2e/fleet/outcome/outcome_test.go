package outcome

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPercentileIsATimeThatSoManyDoNotExceed(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[99-i] = time.Duration(i+1) * time.Second
	}
	tests := map[string]struct {
		given []time.Duration
		want  Spread
	}{
		"none":      {nil, Spread{}},
		"one":       {hundred[:1], Spread{Of: 1, P50: 100, P99: 100, Max: 100}},
		"three":     {[]time.Duration{3 * time.Second, time.Second, 2 * time.Second}, Spread{Of: 3, P50: 2, P99: 3, Max: 3}},
		"a hundred": {hundred, Spread{Of: 100, P50: 50, P99: 99, Max: 100}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := SpreadOf(tc.given); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// reaching returns a run of a thousand Clusters that reaches all of its goals just so.
func reaching() Run {
	return Run{
		Clusters: goalClusters,
		Load:     &Load{Rates: []Rate{{Width: 4, Requests: 100, Seconds: 1}, {Width: 8, Requests: 200, Seconds: 1}}},
		Install: &Rollout{
			Clusters: goalClusters, Seconds: 10, Traffic: Traffic{Requests: 1000}, Downloads: map[string]int{"a": 1},
		},
		Idle:    &Idle{Seconds: 600, ManagerCPU: 0.05, Peak: 300 << 20},
		Restart: &Restart{ToLook: Spread{Of: goalClusters, Max: 60}},
		Storage: &Storage{ClusterBundle: 4000, OnCluster: 1000, Events: 9000},
		Waves: &Waves{
			Alone: Rollout{ToReady: Spread{P99: 10}}, Beside: Rollout{ToReady: Spread{P99: 11}}, Silent: 55,
		},
		Upgrade: &Upgrade{From: "1", To: "2", Changed: 30, Applied: 30},
	}
}

func TestEachGoalIsMissedByItself(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Run){
		"nothing":           func(*Run) {},
		"the rate":          func(r *Run) { r.Install.Seconds = 10.1 },
		"a failed request":  func(r *Run) { r.Install.Traffic.Failed = map[string]int64{"404": 1} },
		"memory":            func(r *Run) { r.Idle.Peak++ },
		"idle CPU":          func(r *Run) { r.Idle.ManagerCPU = 0.051 },
		"a write":           func(r *Run) { r.Restart.Traffic.Writes = 1 },
		"etcd":              func(r *Run) { r.Storage.OnCluster = 1001 },
		"the restart":       func(r *Run) { r.Restart.ToLook.Max = 60.5 },
		"the silent ones":   func(r *Run) { r.Waves.Beside.ToReady.P99 = 11.1 },
		"a second download": func(r *Run) { r.Install.Downloads["b"] = 2 },
		"an object again":   func(r *Run) { r.Upgrade.Applied = 30.1 },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run, want := reaching(), 1
			if name == "nothing" {
				want = 0
			}
			change(&run)
			table := goalTable([]Run{run})
			if got := strings.Count(table, "**missed**"); got != want || strings.Count(table, "met |") != len(goals)-want {
				t.Errorf("%d goals are missed, want %d:\n%s", got, want, table)
			}
		})
	}
}

func TestGrowthIsPerFurtherCluster(t *testing.T) {
	t.Parallel()
	base, more := reaching(), reaching()
	more.Clusters, more.Idle = 2000, &Idle{Peak: base.Idle.Peak + 1000*(200<<10)}
	if table := goalTable([]Run{base, more}); !strings.Contains(table, "| 200.0 KiB | met |") {
		t.Errorf("got\n%s", table)
	}
	more.Idle.Peak += 1 << 20
	if table := goalTable([]Run{base, more}); !strings.Contains(table, "| 201.0 KiB | **missed** |") {
		t.Errorf("got\n%s", table)
	}
}

func TestWhatWasNotMeasuredIsNotInThePage(t *testing.T) {
	t.Parallel()
	if page := Page(nil); page != "" {
		t.Errorf("no run gives %q", page)
	}
	small := Run{Clusters: 10, Storage: &Storage{ClusterBundle: 3000}}
	page := Page([]Run{small, {Clusters: 100}})
	if strings.Contains(page, "labelled at once") || strings.Contains(page, "goal") {
		t.Errorf("the page has what no run measured:\n%s", page)
	}
	if !strings.Contains(page, "| its ClusterBundle | 2.9 KiB | not measured |") {
		t.Errorf("the page lacks what one run measured:\n%s", page)
	}
}

func TestARunIsReadAsItWasSaved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	many, idle := reaching(), Run{Clusters: 10000, Idles: true}
	for _, r := range []Run{idle, many} {
		if err := r.Save(folder); err != nil {
			t.Fatal(err)
		}
	}
	got, err := LoadRuns(folder)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Run{many, idle}, got); diff != "" {
		t.Error(diff)
	}
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(names) != 4 {
		t.Errorf("the folder has %v (%v), want a page and JSON of each", names, err)
	}
	if err := os.WriteFile(filepath.Join(folder, "scale-7.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadRuns(folder); err == nil || !strings.Contains(err.Error(), "scale-7.json") {
		t.Errorf("half a file gives %v", err)
	}
}

func TestTheReportReplacesOnlyWhatIsBetweenTheMarks(t *testing.T) {
	t.Parallel()
	page := "before\n" + begin + "\nold\n" + end + "\nbehind\n"
	runs := []Run{reaching()}
	got, err := Insert(page, runs, []Plot{{File: "a.svg", Title: "A"}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "before\n"+begin) || !strings.HasSuffix(got, end+"\nbehind\n") ||
		strings.Contains(got, "old") || !strings.Contains(got, "![A](a.svg)") || !strings.Contains(got, Page(runs)) {
		t.Errorf("got\n%s", got)
	}
	again, err := Insert(got, runs, []Plot{{File: "a.svg", Title: "A"}})
	if err != nil || again != got {
		t.Errorf("a second time it is another page (%v):\n%s", err, cmp.Diff(got, again))
	}
	for _, bad := range []string{"", begin, end + begin} {
		if _, err := Insert(bad, runs, nil); err == nil {
			t.Errorf("%q was written to", bad)
		}
	}
}

func TestPlotsNeedSeveralRuns(t *testing.T) {
	t.Parallel()
	few, many := reaching(), reaching()
	few.Clusters = 10
	if plots, err := Plots([]Run{few}); err != nil || len(plots) != 0 {
		t.Errorf("one run gives %d plots: %v", len(plots), err)
	}
	plots, err := Plots([]Run{few, many})
	if err != nil || len(plots) != 2 {
		t.Fatalf("two runs give %d plots: %v", len(plots), err)
	}
	for _, p := range plots {
		if !strings.Contains(string(p.SVG), "<svg") {
			t.Errorf("%s is no SVG", p.File)
		}
	}
}

func TestNumbersAreReadable(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		grouped(1): "1", grouped(999): "999", grouped(1000): "1,000", grouped(1234567): "1,234,567",
		seconds(1.234): "1.23 s", seconds(12.34): "12.3 s", seconds(123.4): "123 s",
		bytesText(1023): "1023 B", bytesText(1536): "1.5 KiB", bytesText(3 << 20): "3.0 MiB", bytesText(1 << 30): "1.00 GiB",
		counts(map[string]int64{"b": 2, "a": 2, "c": 3000, "d": 1}, 3): "c 3,000, a 2, b 2, and 1 kinds more",
	} {
		if given != want {
			t.Errorf("got %q, want %q", given, want)
		}
	}
}
