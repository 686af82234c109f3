package main

import (
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

// took makes samples of an installation of the release that the goals are about.
func took(way string, m mode, rounds ...time.Duration) samples {
	var all samples
	for _, d := range rounds {
		all = append(all, sample{way: way, release: goalRelease, step: Install, mode: m, served: d, operator: d + time.Second, applied: d + time.Second})
	}
	return all
}

// goalNamed returns the first goal that begins so.
func goalNamed(t *testing.T, all samples, what string) objective {
	t.Helper()
	for _, o := range all.objectives(1000, 40) {
		if strings.HasPrefix(o.what, what) {
			return o
		}
	}
	t.Fatalf("there is no goal %q", what)
	return objective{}
}

func TestGoalsAreMetOrNotByTheMedians(t *testing.T) {
	t.Parallel()
	all := took(providerName, timed, 90*time.Second, 2*time.Second, time.Second)
	all = append(all, took(floorName, timed, 2*time.Second, time.Second, 3*time.Second)...)
	all = append(all, took(fluxName, timed, 3*time.Second)...)
	all = append(all, took(kubectlName, timed, 8*time.Second)...)
	for what, want := range map[string]string{
		"label to CRDs served":             "1 x | met",
		"CRDs served, faster than flux":    "1.5 x | **not met**",
		"CRDs served, faster than kubectl": "4 x | met",
		"CRDs served, faster than helm":    "not measured in this run | –",
	} {
		if row := strings.Join(goalNamed(t, all, what).row(), " | "); !strings.HasSuffix(row, want) {
			t.Errorf("%q, want %q", row, want)
		}
	}
}

func TestWhatAWayDoesNotIsNoFigure(t *testing.T) {
	t.Parallel()
	all := took(providerName, timed, time.Second)
	all = append(all, sample{way: floorName, release: goalRelease, step: Install, mode: timed, cannot: "is too large"})
	if o := goalNamed(t, all, "label to CRDs served"); o.ok {
		t.Errorf("it was compared: %+v", o)
	}
}

func TestRequestsAreComparedWithObjects(t *testing.T) {
	t.Parallel()
	counts := sample{way: providerName, release: goalRelease, step: Install, mode: counted, traffic: traffic{
		requests: 56, writes: 41, refused: 1, sent: 1100, received: 100,
	}}
	for what, want := range map[string]struct {
		value float64
		met   bool
	}{
		"requests of an installation": {16, false},
		"of them answered with 400":   {1, false},
		"bytes sent":                  {1.1, false},
		"bytes received":              {0.1, true},
	} {
		o := goalNamed(t, samples{counts}, what)
		if o.value != want.value || o.isMet() != want.met {
			t.Errorf("%s: %v, met %v", what, o.value, o.isMet())
		}
	}
}

func TestTablesShowMediansWithTheirSpread(t *testing.T) {
	t.Parallel()
	for want, figures := range map[string][]float64{
		nothingThere: nil, "1.50": {1.5}, "2.00 (1.00–9.00)": {9, 1, 2},
	} {
		if got := secondsText(measure.Summarize(figures)); got != want {
			t.Errorf("%v are %q, want %q", figures, got, want)
		}
	}
	if got := secondsText(measure.Summarize([]float64{0, 0})); got != nothingThere {
		t.Errorf("a time of nothing is %q", got)
	}
	for want, n := range map[string]int64{"0": 0, "999": 999, "1,348,708": 1348708} {
		if got := countText(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
