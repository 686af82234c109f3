package workload

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// opened is a stream of a fake API server.
type opened struct {
	*watch.FakeWatcher

	client *Client
	target rollout.Target
	ends   time.Time
}

// streams opens fake streams, or fails with an error.
type streams struct {
	mu       sync.Mutex
	err      error
	attempts int
	all      []*opened
}

func (s *streams) open(
	ctx context.Context, client *Client, target rollout.Target, lasting time.Duration,
) (watch.Interface, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if s.err != nil {
		return nil, s.err
	}
	o := &opened{watch.NewFakeWithChanSize(10, false), client, target, time.Now().Add(lasting)}
	context.AfterFunc(ctx, o.Stop)
	s.all = append(s.all, o)
	return o, nil
}

// fail makes the server answer with an error from now on, nil for none.
func (s *streams) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// tried returns how often a stream was asked for.
func (s *streams) tried() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts
}

// running returns the streams that have not ended.
func (s *streams) running() []*opened {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.all), func(o *opened) bool { return o.IsStopped() })
}

// bubble is what a test with fake streams and a fake clock works with.
type bubble struct {
	*Watches

	server *streams
	told   *counted
}

// newBubble returns Watches with fake streams, for a test with a fake clock.
func newBubble(t *testing.T) bubble {
	t.Helper()
	server, told := &streams{}, &counted{}
	return bubble{newWatches(t.Context(), told.notify, server.open), server, told}
}

// elapse lets the time pass, and what happens in it.
func elapse(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // in a bubble of synctest it takes no time
	synctest.Wait()
}

// afterStart waits until the start of streams is told.
func afterStart() { elapse(startWindow) }

// afterRestart waits until streams that ended are open again and it is told.
func afterRestart() { elapse(2*firstWatchRetry + restartWindow) }

// wantTold fails unless exactly so many notifications came since the last call.
func (b bubble) wantTold(t *testing.T, why string, want map[types.NamespacedName]int) {
	t.Helper()
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	if diff := cmp.Diff(want, b.told.keys); diff != "" {
		t.Errorf("%s (-want +got):\n%s", why, diff)
	}
	b.told.keys = make(map[types.NamespacedName]int)
}

func (b bubble) wantRunning(t *testing.T, why string, want int) []*opened {
	t.Helper()
	synctest.Wait()
	running := b.server.running()
	if len(running) != want {
		t.Fatalf("%s: want %d streams, got %d", why, want, len(running))
	}
	return running
}

var (
	both = map[types.NamespacedName]int{calico: 1, logging: 1}
	none = map[types.NamespacedName]int{}
)

// objectOf returns the metadata of a member of a set.
func objectOf(part string) *metav1.PartialObjectMetadata {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "settings"}}
	if part != "" {
		object.Labels = map[string]string{inventory.PartOfLabel: part}
	}
	return object
}

func TestKeysShareStreams(t *testing.T) {
	t.Parallel()
	members := func(part string) rollout.Target { return membersOf(t, part)[0] }
	secrets, inNamespace, elsewhere := members("a"), members("a"), settingsTarget(t)
	secrets.Resource, inNamespace.Namespace, elsewhere.Namespace = core(t, "Secret"), "ns", "other"
	tests := map[string]struct {
		givenA, givenB rollout.Target
		wantStreams    int
	}{
		"members of two sets":          {members("a"), members("b"), 1},
		"members of one set":           {members("a"), members("a"), 1},
		"members of two kinds":         {members("a"), secrets, 2},
		"members in one namespace":     {members("a"), inNamespace, 2},
		"an object by its name":        {settingsTarget(t), settingsTarget(t), 1},
		"objects of one name":          {settingsTarget(t), elsewhere, 2},
		"an object and members":        {settingsTarget(t), members("a"), 2},
		"another label of one value":   {membersTarget(t), membersTarget(t), 1},
		"another label and the member": {membersTarget(t), members("a"), 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				client := &Client{}
				b.Set(calico, client, []rollout.Target{tc.givenA, tc.givenA})
				b.Set(logging, client, []rollout.Target{tc.givenB})
				b.wantRunning(t, "two keys", tc.wantStreams)
				b.Set(logging, client, []rollout.Target{tc.givenB})
				b.wantRunning(t, "the same again", tc.wantStreams)
				b.Set(logging, &Client{}, []rollout.Target{tc.givenB})
				b.wantRunning(t, "two clusters", 2)
				b.Stop(calico)
				b.wantRunning(t, "one key", 1)
				b.Stop(logging)
				b.wantRunning(t, "no key", 0)
				if len(b.clusters)+len(b.interests) > 0 {
					t.Errorf("want nothing kept, got %v, %v", b.clusters, b.interests)
				}
			})
		})
	}
}

func TestAnEventGoesToTheSetOfItsObject(t *testing.T) {
	t.Parallel()
	onlyA, onlyB := map[types.NamespacedName]int{calico: 1}, map[types.NamespacedName]int{logging: 1}
	tests := map[string]struct {
		given watch.Event
		want  map[types.NamespacedName]int
	}{
		"a member is new":       {watch.Event{Type: watch.Added, Object: objectOf("a")}, onlyA},
		"a member changed":      {watch.Event{Type: watch.Modified, Object: objectOf("b")}, onlyB},
		"a member lost its set": {watch.Event{Type: watch.Deleted, Object: objectOf("a")}, onlyA},
		"a member of a set that nobody watches": {
			watch.Event{Type: watch.Modified, Object: objectOf("c")}, none,
		},
		"an object without metadata": {watch.Event{Type: watch.Modified, Object: &runtime.Unknown{}}, both},
		"the stream failed":          {watch.Event{Type: watch.Error, Object: &metav1.Status{}}, none},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				client := &Client{}
				b.Set(calico, client, membersOf(t, "a"))
				b.Set(logging, client, membersOf(t, "b"))
				afterStart()
				b.wantTold(t, "the start", both)
				b.wantRunning(t, "two sets", 1)[0].Action(tc.given.Type, tc.given.Object)
				synctest.Wait()
				b.wantTold(t, "the event", tc.want)
			})
		})
	}
}

func TestEachStartNotifiesEveryKeyOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		b.Set(calico, client, append(named(t, 0, 10), membersOf(t, "a")...))
		b.Set(logging, client, append(named(t, 5, 15), membersOf(t, "b")...))
		afterStart()
		b.wantTold(t, "the first start of 16 streams", both)
		for _, o := range b.wantRunning(t, "two sets", 16) {
			o.Stop()
		}
		elapse(firstWatchRetry)
		b.wantTold(t, "nothing, before they are open again", none)
		afterRestart()
		b.wantRunning(t, "the streams again", 16)
		b.wantTold(t, "another start", both)
	})
}

func TestAKeyThatJoinsAStreamIsNotified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		b.Set(calico, client, membersOf(t, "a"))
		afterStart()
		b.wantTold(t, "the start", map[types.NamespacedName]int{calico: 1})
		// What happened to a member since the pass of logging nobody was told.
		b.Set(logging, client, membersOf(t, "b"))
		afterStart()
		b.wantTold(t, "joining", map[types.NamespacedName]int{logging: 1})
		b.Set(logging, client, membersOf(t, "b"))
		afterStart()
		b.wantTold(t, "the same again", none)
	})
}

func TestStopEndsTheInterestOfOneKeyOnly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		b.Set(calico, client, membersOf(t, "a"))
		b.Set(logging, client, membersOf(t, "b"))
		b.Stop(calico)
		afterStart()
		b.wantTold(t, "the start", map[types.NamespacedName]int{logging: 1})
		stream := b.wantRunning(t, "one key", 1)[0]
		stream.Modify(objectOf("a"))
		stream.Modify(objectOf("b"))
		synctest.Wait()
		b.wantTold(t, "events", map[types.NamespacedName]int{logging: 1})
	})
}

func TestAReconnectedKeyIsNotified(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		before, after := &Client{}, &Client{}
		b.Set(calico, before, membersOf(t, "a"))
		b.Set(logging, before, membersOf(t, "b"))
		afterStart()
		b.wantTold(t, "the start", both)
		b.Set(calico, after, membersOf(t, "a"))
		afterStart()
		b.wantTold(t, "the new connection", map[types.NamespacedName]int{calico: 1})
		running := b.wantRunning(t, "both connections", 2)
		if running[0].client != before || running[1].client != after {
			t.Error("want a stream of each connection")
		}
		b.Set(logging, after, membersOf(t, "b"))
		if got := b.wantRunning(t, "the new connection", 1)[0].client; got != after {
			t.Error("want the stream of the new connection")
		}
	})
}

func TestStreamsOverTheBoundAreCoveredByATimer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		b.Set(calico, client, named(t, 0, maxStreams))
		b.Set(logging, client, membersOf(t, "b"))
		b.wantRunning(t, "the bound", maxStreams)
		b.Set(types.NamespacedName{Name: "elsewhere"}, &Client{}, membersOf(t, "b"))
		b.wantRunning(t, "another cluster", maxStreams+1)
		b.Stop(types.NamespacedName{Name: "elsewhere"})
		afterStart()
		b.wantTold(t, "the start", map[types.NamespacedName]int{calico: 1})
		elapse(3 * overflowPeriod)
		b.wantTold(t, "three periods", map[types.NamespacedName]int{logging: 3})

		b.Set(calico, client, named(t, 1, maxStreams))
		afterStart()
		b.wantRunning(t, "a place is free", maxStreams)
		b.wantTold(t, "the start", map[types.NamespacedName]int{logging: 1})
		elapse(3 * overflowPeriod)
		b.wantTold(t, "nobody waits", none)
	})
}

func TestWhatWaitsForAPlaceCanBeStopped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		b.Set(calico, client, named(t, 0, maxStreams+10))
		b.Set(calico, client, named(t, 0, maxStreams))
		b.wantRunning(t, "the bound", maxStreams)
		afterStart()
		b.wantTold(t, "the start", map[types.NamespacedName]int{calico: 1})
		elapse(3 * overflowPeriod)
		b.wantTold(t, "nobody waits", none)
	})
}

func TestErrorsOfAStreamDoNotSpin(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Group: "example.com", Resource: "bookshops"}
	for name, given := range map[string]error{
		"not served": apierrors.NewNotFound(resource, ""),
		"forbidden":  apierrors.NewForbidden(resource, "", nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				b.server.fail(given)
				b.Set(calico, &Client{}, membersOf(t, "a"))
				elapse(10 * time.Minute)
				if got := b.server.tried(); got < 18 || got > 26 {
					t.Errorf("want an attempt every %v at last, got %d", maxWatchRetry, got)
				}
				b.wantTold(t, "nothing is known", nil)
				b.server.fail(nil)
				elapse(2 * maxWatchRetry)
				b.wantTold(t, "it is served", map[types.NamespacedName]int{calico: 1})
			})
		})
	}
}

func TestAStreamThatEndsAtOnceDoesNotSpin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, membersOf(t, "a"))
		for range 600 {
			for _, o := range b.server.running() {
				o.Error(&metav1.Status{Code: 410})
			}
			elapse(time.Second)
		}
		if got := b.server.tried(); got < 15 || got > 26 {
			t.Errorf("want an attempt every %v at last, got %d", maxWatchRetry, got)
		}
	})
}

func TestTheStreamsOfAClusterEndTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		client := &Client{}
		begun := time.Now()
		b.Set(calico, client, named(t, 0, 1))
		synctest.Wait()
		elapse(2 * time.Minute)
		b.Set(calico, client, named(t, 0, 2))
		running := b.wantRunning(t, "two targets", 2)
		first, second := running[0].ends, running[1].ends
		if lasts := first.Sub(begun); lasts < minWatch || lasts > 2*minWatch || !first.Equal(second) {
			t.Errorf("want one end after 5 to 10 minutes, got %v and %v", lasts, second.Sub(begun))
		}
		elapse(time.Until(first) - time.Second)
		b.Set(calico, client, named(t, 0, 3))
		if lasts := time.Until(b.wantRunning(t, "a third", 3)[2].ends); lasts < minWatch {
			t.Errorf("want no stream for a moment only, got one for %v", lasts)
		}
	})
}
