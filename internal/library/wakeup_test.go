package library

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// outage is how long a source is away.
const outage = 23 * time.Minute

// TestWhoWaitsLearnsThatASourceIsBack has one who asks when an error says so, and
// when there is news, as the controllers do. A failure that repeats is no news, so
// no answer may leave it without a time while the source is away.
func TestWhoWaitsLearnsThatASourceIsBack(t *testing.T) {
	t.Parallel()
	away := errors.New("the server is away")
	tests := map[string]struct {
		given error
		want  time.Duration // after which the release is open at the latest
	}{
		"a server that does not answer": {given: away, want: 2 * time.Minute},
		"a server that throttles":       {given: fault.Wait(v1alpha1.ThrottledReason, time.Minute, away), want: time.Minute},
		"a Secret that does not exist":  {given: fault.Wait(v1alpha1.ReferenceNotFoundReason, time.Second, away), want: fetchingRetry},
		"an answer that only a change mends": {
			given: fault.Stall(v1alpha1.SourceInvalidReason, away), want: stalledRetry,
		},
	}
	for name, tc := range tests {
		for _, how := range []string{"fetched", "resolved", "renewed"} {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { testOutage(t, how, tc.given, tc.want) })
			})
		}
	}
}

func testOutage(t *testing.T, how string, given error, want time.Duration) {
	t.Helper()
	l := newLibrary(t, t.TempDir(), newShelf(), func(cfg *Config) { cfg.Clock = clock.RealClock{} })
	src := l.shelf.put("https://example.com/a", configMap("a"))
	wanted := src
	fail := func(err error) { l.shelf.fail("https://example.com/a", err) }
	if how != "fetched" {
		fail = func(err error) { wanted = l.tags.set("v1", src, err) }
	}
	if how == "renewed" {
		fail(nil)
		l.waitUntilOpen(t, of(wanted))
	}
	fail(given)
	if how == "renewed" {
		<-time.After(time.Minute) // the interval
		_, _ = l.Open(calico, of(wanted))
		l.hear(t)
	}
	time.AfterFunc(outage, func() { fail(nil) })
	if late := l.waitUntilOpen(t, of(wanted)) - outage; late > want {
		t.Errorf("want it open %s after the source is back, got %s", want, late)
	}
}

// waitUntilOpen asks for a release until it is open and has no problem, and returns
// how long that took.
func (l *library) waitUntilOpen(t testing.TB, r v1alpha1.Release) time.Duration {
	t.Helper()
	begun := time.Now()
	for {
		opened, err := l.Open(calico, r)
		if opened != nil {
			err = opened.Problem
		}
		if err == nil {
			return time.Since(begun)
		}
		after := fault.AfterOf(err)
		if after == 0 {
			after = timeOf[fault.ClassOf(err)]
		}
		select {
		case <-l.news:
		case <-time.After(after):
			if after == never {
				t.Fatalf("nothing wakes who was answered: %v", err)
			}
		}
	}
}

const never = 24 * time.Hour

// timeOf are the times of errors that name none, as those of package status.
var timeOf = map[fault.Class]time.Duration{
	fault.ClassWait: never, fault.ClassStall: stalledRetry, fault.ClassRetry: time.Second,
}
