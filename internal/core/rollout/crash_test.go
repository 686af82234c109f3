package rollout

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errBroken = errors.New("the connection broke")

// wantConverged checks that the cluster came to the content of the reference
// without applying an object twice, and is left alone now.
func wantConverged(t *testing.T, want map[string]string, cluster *memory, r Rollout) {
	t.Helper()
	if diff := cmp.Diff(want, cluster.bodies()); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}
	for at, object := range cluster.objects {
		if object.applied != 1 && at != parentPath {
			t.Errorf("%s was applied %d times", at, object.applied)
		}
	}
	cluster.take("apply")
	r.Run(t.Context())
	if got := cluster.take("apply"); len(got) > 0 {
		t.Errorf("applied when complete: %v", got)
	}
}

// TestBrokenPassesConverge breaks a rollout at every single call.
func TestBrokenPassesConverge(t *testing.T) {
	t.Parallel()
	release := releaseOf(t, "one", addOn()...)
	slow := func(t *testing.T) *memory {
		t.Helper()
		cluster := newMemory(t)
		cluster.discoveryDelay, cluster.workloadDelay = 2, 2
		return cluster
	}
	reference := slow(t)
	converge(t, rolloutOf(reference, release))
	want, calls := reference.bodies(), len(reference.calls)
	if calls < 30 {
		t.Fatalf("want a rollout of many calls, got %d", calls)
	}
	tests := map[string]func(*testing.T, *memory, int){
		"a call that fails without effect": func(_ *testing.T, cluster *memory, broken int) {
			cluster.fail = func(n int, _ call) (error, bool) { return errAt(n, broken), false }
		},
		"a call whose answer is lost": func(_ *testing.T, cluster *memory, broken int) {
			cluster.fail = func(n int, _ call) (error, bool) { return errAt(n, broken), true }
		},
		"a pass that is cut off behind a call": func(t *testing.T, cluster *memory, broken int) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			cluster.done = func(n int, _ call) {
				if n == broken {
					cancel()
				}
			}
			for ctx.Err() == nil {
				if o := rolloutOf(cluster, release).Run(ctx); o.Err == nil {
					break
				}
			}
			cluster.done = nil
		},
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; n <= calls; n++ {
				cluster := slow(t)
				given(t, cluster, n)
				r := rolloutOf(cluster, release)
				converge(t, r)
				wantConverged(t, want, cluster, r)
				if t.Failed() {
					t.Fatalf("broken at call %d of %d", n, calls)
				}
			}
		})
	}
}

func errAt(n, broken int) error {
	if n == broken {
		return errBroken
	}
	return nil
}

func TestCancelledPassMakesNoCallsThatCount(t *testing.T) {
	t.Parallel()
	cluster := newMemory(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := rolloutOf(cluster, releaseOf(t, "one", addOn()...)).Run(ctx)
	if !errors.Is(o.Err, context.Canceled) || o.Known || len(cluster.objects) > 0 {
		t.Errorf("want nothing but the error of the context, got %+v", o)
	}
}
