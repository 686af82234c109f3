package library

import (
	"context"
	"errors"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestAFailureThatRepeatsIsNoNews(t *testing.T) {
	t.Parallel()
	j := newJobs(t.Context(), jobsConfig[string, int]{
		clock:    clocktesting.NewFakePassiveClock(time.Unix(0, 0)),
		same:     func(a, b int) bool { return a == b },
		interval: time.Minute,
	})
	known := &job[string, int]{owners: map[types.NamespacedName]bool{{Name: "calico"}: true}}
	away := func() error { return errors.New("the server answered 503") }
	steps := []struct {
		what      string
		givenErr  error
		givenWhat int
		want      bool
	}{
		{"the first result", nil, 1, true},
		{"the same result again", nil, 1, false},
		{"a failure", away(), 0, true},
		{"the same failure again", away(), 0, false},
		{"another failure", errors.New("the server answered 404"), 0, true},
		{"the result of before", nil, 1, true},
		{"another result", nil, 2, true},
	}
	for _, step := range steps {
		if got := len(j.finish(known, fingerprint{}, step.givenWhat, step.givenErr)) > 0; got != step.want {
			t.Errorf("%s: want news %t, got %t", step.what, step.want, got)
		}
	}
}

func TestAPanicOfAJobIsItsFailure(t *testing.T) {
	t.Parallel()
	told := make(chan types.NamespacedName)
	j := newJobs(t.Context(), jobsConfig[string, int]{
		work:   func(context.Context, string) (int, error) { panic("password " + faulttest.Secret) },
		notify: func(owner types.NamespacedName) { told <- owner },
		clock:  clocktesting.NewFakePassiveClock(time.Unix(0, 0)),
	})
	owner := types.NamespacedName{Name: "calico"}
	j.ensure(owner, fingerprint{}, "a source")
	if got := <-told; got != owner {
		t.Errorf("want %v told, got %v", owner, got)
	}
	failed := j.ensure(owner, fingerprint{}, "a source")
	faulttest.Want(t, failed.err, fault.ClassRetry, v1alpha1.InternalErrorReason, "a panic at jobs_test.go:")
}

func TestJobsAreNotAllLookedThroughForEachOne(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakePassiveClock(time.Unix(0, 0))
	j := newJobs(t.Context(), jobsConfig[string, int]{
		clock: clock, notify: func(types.NamespacedName) {},
		work: func(ctx context.Context, _ string) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
	})
	known := func(key byte) bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		_, ok := j.byKey[fingerprint{key}]
		return ok
	}
	j.ensure(types.NamespacedName{}, fingerprint{1}, "the first, which looks for what to forget")
	j.byKey[fingerprint{2}] = &job[string, int]{progress: progress{dueAt: clock.Now().Add(-2 * forgetFailure)}}
	j.ensure(types.NamespacedName{}, fingerprint{3}, "one a moment later")
	if !known(2) {
		t.Error("want what nobody asks about left alone for a moment")
	}
	clock.SetTime(clock.Now().Add(pruneEvery))
	j.ensure(types.NamespacedName{}, fingerprint{4}, "one a while later")
	if known(2) || !known(1) {
		t.Error("want what nobody asks about forgotten after a while, and what is running kept")
	}
}
