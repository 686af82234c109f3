package workload

import (
	"context"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// bookmark sends a bookmark.
func (o *opened) bookmark(revision string) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{ResourceVersion: revision}}
	o.send(watch.Bookmark, object)
}

// endInTime ends the stream as a server does when its time is over.
func (o *opened) endInTime() {
	elapse(time.Until(o.ends))
	o.end(io.EOF)
	synctest.Wait()
}

// resuming is a bubble whose one stream reached revision 7 and is quiet.
type resuming struct {
	bubble

	client *Client
	target rollout.Target
}

func newResuming(t *testing.T) resuming {
	t.Helper()
	r := resuming{newBubble(t), &Client{}, membersOf(t, "a")[0]}
	r.Set(calico, r.client, []rollout.Target{r.target})
	afterStart()
	r.stream(t).bookmark("7")
	r.wantTold(t, "the start", onlyCalico)
	r.Look(calico, r.client)
	return r
}

// stream returns the one that runs.
func (r resuming) stream(t *testing.T) *opened {
	t.Helper()
	return r.wantRunning(t, "one target", 1)[0]
}

// wantQuiet fails unless nothing happened since the last look, or something did.
func (r resuming) wantQuiet(t *testing.T, why string, want bool) {
	t.Helper()
	if got := r.Look(calico, r.client)(r.target); got != want {
		t.Errorf("%s: want quiet %t, got %t", why, want, got)
	}
}

func TestAStreamWhoseTimeIsOverGoesOnInSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newResuming(t)
		for _, want := range []string{"7", "7", "8"} {
			r.stream(t).endInTime()
			r.wantQuiet(t, "in between", true)
			afterRestart()
			r.wantQuiet(t, "afterwards", true)
			r.wantTold(t, "no start", none)
			if got := r.stream(t).from; got != want {
				t.Fatalf("want the stream to go on from %s, got %q", want, got)
			}
			if r.server.tried() == 3 {
				r.stream(t).bookmark("8")
				synctest.Wait()
			}
		}
	})
}

func TestWhatHappensBetweenTwoStreamsIsToldByTheSecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newResuming(t)
		r.stream(t).endInTime()
		r.Set(logging, r.client, membersOf(t, "a"))
		afterStart()
		r.wantTold(t, "who joins in between", map[types.NamespacedName]int{logging: 1})
		afterRestart()
		r.stream(t).send(watch.Modified, objectOf("a"))
		synctest.Wait()
		r.wantTold(t, "the event", both)
		r.wantQuiet(t, "after the event", false)
	})
}

func TestContentIsKnownFromOneStreamToTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, contentOf(membersOf(t, "a")))
		afterStart()
		stream, object := b.wantRunning(t, "one target", 1)[0], appliedMember()
		object.ResourceVersion = "9"
		stream.send(watch.Modified, object)
		stream.endInTime()
		afterRestart()
		b.wantTold(t, "the start and one event", map[types.NamespacedName]int{calico: 2})
		next := b.wantRunning(t, "one target", 1)[0]
		if next.from != "9" {
			t.Errorf("want the stream to go on from its last event, got %q", next.from)
		}
		next.send(watch.Modified, object)
		synctest.Wait()
		b.wantTold(t, "the same content", none)
	})
}

func TestAStreamThatMayHaveMissedSomethingBeginsAnew(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given func(*opened) }{
		"it ended early": {func(o *opened) {
			elapse(time.Until(o.ends) - endTolerance - time.Second)
			o.end(io.EOF)
		}},
		"it ended late": {func(o *opened) {
			elapse(time.Until(o.ends) + endTolerance + time.Second)
			o.end(io.EOF)
		}},
		"its connection broke, by chance when its time was over": {func(o *opened) {
			elapse(time.Until(o.ends))
			o.end(io.ErrUnexpectedEOF)
		}},
		"its last event was cut off": {func(o *opened) {
			elapse(time.Until(o.ends))
			o.write(`{"type":`)
			o.end(io.EOF)
		}},
		"the server reported an error": {func(o *opened) {
			elapse(time.Until(o.ends))
			o.send(watch.Error, &metav1.Status{Code: 410, Message: "too old resource version"})
		}},
		"it does not know what it reached": {func(o *opened) {
			o.bookmark("")
			o.endInTime()
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newResuming(t)
				tc.given(r.stream(t))
				synctest.Wait()
				r.wantQuiet(t, "in between", false)
				afterRestart()
				r.wantQuiet(t, "afterwards", false)
				r.wantTold(t, "another start", onlyCalico)
				if got := r.stream(t).from; got != "" {
					t.Errorf("want a stream from now on, got one from %q", got)
				}
			})
		})
	}
}

func TestAStreamThatCannotGoOnBeginsAnew(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given func(*testing.T, resuming) }{
		"the server refuses the revision": {func(_ *testing.T, r resuming) {
			r.server.fail(apierrors.NewTimeoutError("Too large resource version", 1))
			r.server.running()[0].endInTime()
			afterRestart()
			r.server.fail(nil)
		}},
		"the server is down": {func(_ *testing.T, r resuming) {
			r.server.fail(io.ErrUnexpectedEOF)
			r.server.running()[0].endInTime()
			afterRestart()
			r.server.fail(nil)
		}},
		"the server no longer knows the revision": {func(t *testing.T, r resuming) {
			t.Helper()
			r.stream(t).endInTime()
			elapse(2 * firstWatchRetry)
			r.stream(t).send(watch.Error, &metav1.Status{Code: 410})
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := newResuming(t)
				tc.given(t, r)
				synctest.Wait()
				r.wantQuiet(t, "in between", false)
				elapse(4*firstWatchRetry + restartWindow)
				r.wantTold(t, "another start", onlyCalico)
				if got := r.stream(t).from; got != "" {
					t.Errorf("want a stream from now on, got one from %q", got)
				}
			})
		})
	}
}

func TestAStreamWithoutEventsGoesOnFromItsStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, membersOf(t, "a"))
		afterStart()
		b.wantTold(t, "the start", onlyCalico)
		b.wantRunning(t, "one target", 1)[0].endInTime()
		afterRestart()
		b.wantTold(t, "no start", none)
		if got := b.wantRunning(t, "one target", 1)[0].from; got != "1" {
			t.Errorf("want the stream to go on from its start, got %q", got)
		}
	})
}

// starting records where streams of a real API server begin, and does something
// before one goes on.
type starting struct {
	mu     sync.Mutex
	froms  []string
	before func()
}

func (s *starting) open(
	ctx context.Context, c *Client, target rollout.Target, from string, lasting time.Duration,
) (*frames, error) {
	s.mu.Lock()
	s.froms = append(s.froms, from)
	s.mu.Unlock()
	if from != "" {
		s.before()
	}
	return openWatch(ctx, c, target, from, lasting)
}

// isNew reports, for each stream, whether it began from now on.
func (s *starting) isNew() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	isNew := make([]bool, len(s.froms))
	for i, from := range s.froms {
		isNew[i] = from == ""
	}
	return isNew
}

func TestAStreamOfARealServerGoesOn(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns, c, told := testenv.NewNamespace(t, w.APIServer), newClient(t, w.Config), &counted{}
	member(t, c, ns, "settings", ns, "before")
	s := &starting{before: func() {
		if told.of(calico) == 1 {
			member(t, c, ns, "settings", ns, "in between")
		}
	}}
	watches := newWatches(t.Context(), told.notify, s.open)
	watches.period = 4 * time.Second
	watches.Set(calico, c, membersOf(t, ns))
	testenv.Eventually(t, "what happened between two streams is told", func() bool { return told.of(calico) == 2 })
	watches.Look(calico, c)
	testenv.Eventually(t, "there is a third stream", func() bool { return len(s.isNew()) == 3 })
	if diff := cmp.Diff([]bool{true, false, false}, s.isNew()); diff != "" {
		t.Errorf("want the streams to go on where they ended (-want +got):\n%s", diff)
	}
	if !watches.Look(calico, c)(membersOf(t, ns)[0]) || told.of(calico) != 2 {
		t.Errorf("want the third to go on in silence, got %d notifications", told.of(calico))
	}
}
