package fault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

var errPlain = errors.New("plain")

// facts are what an error says to machines.
type facts struct {
	class  fault.Class
	reason string
	after  time.Duration
}

func factsOf(err error) facts {
	return facts{fault.ClassOf(err), fault.ReasonOf(err, "Otherwise"), fault.AfterOf(err)}
}

func TestErrorKeepsItsClassThroughWrapping(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given error
		want  facts
	}{
		"no error":             {nil, facts{fault.ClassRetry, "Otherwise", 0}},
		"an error of no class": {errPlain, facts{fault.ClassRetry, "Otherwise", 0}},
		"a terminal error":     {fault.Stall("Bad", errPlain), facts{fault.ClassStall, "Bad", 0}},
		"waiting": {
			fault.Wait("Soon", time.Second, errPlain), facts{fault.ClassWait, "Soon", time.Second},
		},
		"a failure": {fault.Retry("Broken", errPlain), facts{fault.ClassRetry, "Broken", 0}},
		"the outermost of two classes": {
			fault.Stall("Late", fmt.Errorf("phase a: %w", fault.Wait("Soon", time.Second, errPlain))),
			facts{fault.ClassStall, "Late", 0},
		},
	}
	wraps := map[string]func(error) error{
		"as it is":                func(err error) error { return err },
		"with a noun":             func(err error) error { return fault.Wrap("phase crds", err) },
		"twice":                   func(err error) error { return fmt.Errorf("a: %w", fmt.Errorf("b: %w", err)) },
		"joined with nil":         func(err error) error { return fault.Join(nil, err, nil) },
		"by the standard library": func(err error) error { return errors.Join(err) },
	}
	for name, test := range tests {
		for how, wrap := range wraps {
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				given := test.given
				if given != nil {
					given = wrap(given)
				}
				if got := factsOf(given); got != test.want {
					t.Errorf("want %+v, got %+v", test.want, got)
				}
				if given != nil && !errors.Is(given, errPlain) {
					t.Errorf("%v lost its cause", given)
				}
			})
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given error
		want  string
	}{
		"a class adds nothing": {fault.Stall("Bad", errPlain), "plain"},
		"a format is filled in": {
			fault.Stallf("Bad", "%d of %s: %w", 3, "four", errPlain), "3 of four: plain",
		},
		"a noun stands in front": {
			fault.Wrap("phase crds", fault.Retry("Broken", errPlain)), "phase crds: plain",
		},
		"one joined error is itself":     {fault.Join(nil, errPlain), "plain"},
		"joined errors keep their order": {fault.Join(errors.New("b"), errors.New("a"), errors.New("c")), "b; a; c"},
		"five are spelled out":           {joinOf(5), "e0; e1; e2; e3; e4"},
		"more are counted":               {joinOf(1000), "e0; e1; e2; e3; e4; and 995 more"},
		"what is joined is on one line": {
			fault.Join(fault.Join(errPlain, errPlain), errPlain), "plain; plain; plain",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.given.Error(); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func joinOf(n int) error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = fmt.Errorf("e%d", i)
	}
	return fault.Join(errs...)
}

func TestJoinChoosesTheClassThatActsMost(t *testing.T) {
	t.Parallel()
	failed, failedToo := fault.Retry("Broken", errPlain), fault.Retry("BrokenToo", errPlain)
	stalled, stalledToo := fault.Stall("Bad", errPlain), fault.Stall("BadToo", errPlain)
	soon, later := fault.Wait("Soon", time.Second, errPlain), fault.Wait("Later", time.Minute, errPlain)
	watched := fault.Wait("Watched", 0, errPlain)
	tests := map[string]struct {
		given []error
		want  facts
	}{
		"one that is tried again before one that is stalled": {
			[]error{stalled, failed}, facts{fault.ClassRetry, "Broken", 0},
		},
		"an error of no class is tried again": {
			[]error{stalled, errPlain}, facts{fault.ClassRetry, "Otherwise", 0},
		},
		"one that is stalled before waiting": {
			[]error{soon, stalled}, facts{fault.ClassStall, "Bad", 0},
		},
		"the first failure gives the reason": {
			[]error{failed, failedToo}, facts{fault.ClassRetry, "Broken", 0},
		},
		"the first stalled gives the reason": {
			[]error{stalledToo, stalled}, facts{fault.ClassStall, "BadToo", 0},
		},
		"the soonest is waited for": {
			[]error{later, soon}, facts{fault.ClassWait, "Later", time.Second},
		},
		"a watch does not shorten waiting": {
			[]error{watched, later}, facts{fault.ClassWait, "Watched", time.Minute},
		},
		"only watches name no time": {
			[]error{watched, watched}, facts{fault.ClassWait, "Watched", 0},
		},
		"a joined error counts as its class": {
			[]error{fault.Wrap("phase a", fault.Join(soon, stalled)), later}, facts{fault.ClassStall, "Bad", 0},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, factsOf(fault.Join(test.given...)), cmp.AllowUnexported(facts{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJoinOfNothingIsNil(t *testing.T) {
	t.Parallel()
	if err := errors.Join(fault.Join(), fault.Join(nil, nil), fault.Wrap("noun", nil)); err != nil {
		t.Errorf("want nil, got %v", err)
	}
}

func TestJoinLeavesItsArgumentsAlone(t *testing.T) {
	t.Parallel()
	given := []error{nil, errPlain, nil, context.Canceled}
	before := slices.Clone(given)
	err := fault.Join(given...)
	if !errors.Is(err, errPlain) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v lost a cause", err)
	}
	if !slices.Equal(before, given) {
		t.Errorf("want %v, got %v", before, given)
	}
}

func TestBoundedTextOfManyErrors(t *testing.T) {
	t.Parallel()
	errs := make([]error, 10_000)
	for i := range errs {
		errs[i] = errors.New(strings.Repeat("x", 100))
	}
	if got := len(fault.Join(errs...).Error()); got > 600 {
		t.Errorf("want a short text, got %d bytes", got)
	}
}
