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

func TestWhatOnlyAGoneBundleAskedForEnds(t *testing.T) {
	t.Parallel()
	gone, other := types.NamespacedName{Name: "gone"}, types.NamespacedName{Name: "other"}
	for what, test := range map[string]struct {
		before, behind []types.NamespacedName // who asks before doubt, and behind it
		ends           bool
	}{
		"nobody else asked":           {before: []types.NamespacedName{gone}, ends: true},
		"another asked, too":          {before: []types.NamespacedName{gone, other}},
		"another asks now":            {before: []types.NamespacedName{gone}, behind: []types.NamespacedName{other}},
		"it changed, and asks again":  {before: []types.NamespacedName{gone}, behind: []types.NamespacedName{gone}},
		"only another asked for this": {before: []types.NamespacedName{other}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			j := newJobs(t.Context(), jobsConfig[string, int]{
				clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), notify: func(types.NamespacedName) {},
				work: func(ctx context.Context, _ string) (int, error) {
					<-ctx.Done()
					close(ended)
					return 0, ctx.Err()
				},
			})
			ask := func(owners []types.NamespacedName) {
				for _, owner := range owners {
					j.ensure(owner, fingerprint{}, "a chart that never ends")
				}
			}
			ask(test.before)
			j.doubt(gone)
			ask(test.behind)
			j.abandon(gone)
			_, known := j.byKey[fingerprint{}]
			if known == test.ends {
				t.Errorf("want it to end: %t; it is known: %t", test.ends, known)
			}
			if test.ends {
				<-ended
			}
		})
	}
}
