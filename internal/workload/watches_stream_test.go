package workload

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
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
		"every event and the content":  {members("a"), contentOf(membersOf(t, "b"))[0], 1},
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
		givenType   watch.EventType
		givenObject any
		want        map[types.NamespacedName]int
	}{
		"a member is new":       {watch.Added, objectOf("a"), onlyA},
		"a member changed":      {watch.Modified, objectOf("b"), onlyB},
		"a member lost its set": {watch.Deleted, objectOf("a"), onlyA},
		"a member of a set that nobody watches": {
			watch.Modified, objectOf("c"), none,
		},
		"the stream failed": {watch.Error, &metav1.Status{}, none},
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
				b.wantRunning(t, "two sets", 1)[0].send(tc.givenType, tc.givenObject)
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
			o.end(io.EOF)
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
		stream.send(watch.Modified, objectOf("a"))
		stream.send(watch.Modified, objectOf("b"))
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
		elapse(overflowPeriod) // all of it is less than minWatch: no stream is ended for its age
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
				o.send(watch.Error, &metav1.Status{Code: 410})
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

func TestAStreamThatNobodyEndsBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, membersOf(t, "a"))
		afterStart()
		b.wantTold(t, "it began", onlyCalico)
		first := b.wantRunning(t, "one target", 1)[0]
		elapse(time.Until(first.ends) + endGrace)
		afterRestart()
		if now := b.wantRunning(t, "after its time", 1)[0]; now == first || now.from != "" {
			t.Errorf("want another stream that begins anew, got one from %q", now.from)
		}
		b.wantTold(t, "it began anew", onlyCalico)
	})
}

func TestAStreamRemembersABoundedNumberOfObjects(t *testing.T) {
	t.Parallel()
	s := newStream(membersTarget(t), subscriber{content: true}, newLimits())
	for n := range 3 * maxContents {
		s.keysFor(event{kind: watch.Added, object: uint64(n), content: 1})
	}
	if len(s.contents) > maxContents {
		t.Errorf("want at most %d objects remembered, got %d", maxContents, len(s.contents))
	}
	last := event{kind: watch.Modified, object: 3*maxContents - 1, content: 1}
	if keys := s.keysFor(last); len(keys) > 0 {
		t.Errorf("want the last ones remembered, got %v", keys)
	}
}
