package rollout

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAReleaseHasBegunWithItsParent(t *testing.T) {
	t.Parallel()
	one, two := releaseOf(t, "one", addOn()...), releaseOf(t, "two", addOn()...)
	tests := map[string]struct {
		givenDelay int     // how long the release that was applied before stays in progress
		given      Release // the one that was applied before; none if it has no plan
		givenOnce  bool
		want       bool
	}{
		"not before its first pass":                {},
		"when it is in progress":                   {given: one, givenDelay: never, want: true},
		"when it is complete":                      {given: one, want: true},
		"not while another one is in progress":     {given: two, givenDelay: never},
		"not when another one is complete":         {given: two},
		"when what is applied once is complete":    {given: two, givenOnce: true, want: true},
		"not when what is applied once is not yet": {given: two, givenDelay: never, givenOnce: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := newMemory(t)
			cluster.workloadDelay = test.givenDelay
			if test.given.Plan != nil {
				settle(t, rolloutOf(cluster, test.given))
			}
			r := remembering(cluster, one)
			r.Once = test.givenOnce
			if got, err := r.HasBegun(t.Context()); got != test.want || err != nil {
				t.Errorf("want %t, got %t, %v", test.want, got, err)
			}
		})
	}
}

func TestAParentIsReadOnceForAPassAndTheQuestionBeforeIt(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	release := releaseOf(t, "one", addOn()...)
	converge(t, rolloutOf(cluster, release))
	r := remembering(cluster, release)
	for _, test := range []struct {
		after      time.Duration
		givenQuiet bool
		want       []string
	}{
		{after: time.Hour, want: []string{parentPath}},
		{after: time.Hour + memoryLife, givenQuiet: true},
		{after: 2 * time.Hour, want: []string{parentPath}},
	} {
		cluster.takeAll()
		r.IsQuiet = func(Target) bool { return test.givenQuiet }
		if begun, err := r.at(test.after).HasBegun(t.Context()); !begun || err != nil {
			t.Errorf("want it begun, got %t, %v", begun, err)
		}
		if o := r.at(test.after).Run(t.Context()); o.Err != nil {
			t.Error(o.Err)
		}
		var parents []string
		for _, path := range cluster.take("object") {
			if path == parentPath {
				parents = append(parents, path)
			}
		}
		if diff := cmp.Diff(test.want, parents); diff != "" {
			t.Errorf("after %s: reads (-want +got):\n%s", test.after, diff)
		}
	}
}
