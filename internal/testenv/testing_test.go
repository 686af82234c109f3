package testenv

import (
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestPrefixOf(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ given, want string }{
		"a test":                      {"TestMove", "testmove"},
		"a subtest":                   {"TestMove/a_Cluster_moves", "testmove-a-cluster-moves"},
		"a long name":                 {"Test" + strings.Repeat("x", 100), "test" + strings.Repeat("x", 36)},
		"no dash at the end of a cut": {"Test" + strings.Repeat("x", 35) + "/y", "test" + strings.Repeat("x", 35)},
		"letters beyond ASCII":        {"TestÄÖ/ü1", "test----1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := prefixOf(tc.given)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if problems := validation.IsDNS1123Label(got); len(problems) > 0 {
				t.Errorf("%q: %v", got, problems)
			}
		})
	}
}

type stopCounter struct{ started, stopped int }

func (c *stopCounter) Stop() { c.stopped++ }

func TestSharedIsStartedOnceAndStopped(t *testing.T) {
	t.Parallel()
	counter := &stopCounter{}
	s := &shared[*stopCounter]{start: func(context.Context) (*stopCounter, error) {
		counter.started++
		return counter, nil
	}}
	s.end()
	if counter.stopped != 0 {
		t.Error("stopped what nobody had started")
	}
	first, second := s.get(t), s.get(t)
	if first != counter || second != counter {
		t.Error("the tests do not share it")
	}
	s.end()
	if *counter != (stopCounter{started: 1, stopped: 1}) {
		t.Errorf("got %+v", *counter)
	}
}
