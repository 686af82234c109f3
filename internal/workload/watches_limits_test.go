package workload

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestAFloodOfEventsWakesSeldom is about events that a cluster sends for ever, as many as
// are read of it.
func TestAFloodOfEventsWakesSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.Set(calico, &Client{}, membersOf(t, "a"))
		afterStart()
		b.wantTold(t, "the start", onlyCalico)
		stream := b.wantRunning(t, "one key", 1)[0]
		for range wakeBurst {
			stream.send(watch.Modified, objectOf("a"))
		}
		synctest.Wait()
		b.wantTold(t, "what a release that is installed may have", map[types.NamespacedName]int{calico: wakeBurst})
		for range 100 {
			for range eventRate / 10 {
				stream.send(watch.Modified, objectOf("a"))
			}
			elapse(100 * time.Millisecond)
		}
		if got := b.told.of(calico); got < 5 || got > 10 {
			t.Errorf("want some 5 notifications of 500 events in 10 s, and one of the rest, got %d", got)
		}
		elapse(floodWindow)
		b.told.mu.Lock()
		clear(b.told.keys)
		b.told.mu.Unlock()
		elapse(floodWindow)
		b.wantTold(t, "nothing happens any more", none)
		stream.send(watch.Modified, objectOf("a"))
		synctest.Wait()
		b.wantTold(t, "it may wake at once again", onlyCalico)
	})
}

// TestAStreamThatFloodsIsClosed is about the processor and the memory: what is not read
// is held by the connection.
func TestAStreamThatFloodsIsClosed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		size int // of an event
		want int // events that are looked at
	}{
		"many events":  {10, eventBurst},
		"large events": {60 << 10, byteBurst / (60 << 10)},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, client := newBubble(t), &Client{}
				targets := membersOf(t, "a")
				b.Set(calico, client, targets)
				afterStart()
				flooding := b.wantRunning(t, "one key", 1)[0]
				object := objectOf("a")
				object.Annotations = map[string]string{"large": strings.Repeat("a", tc.size)}
				sent := 0
				for !flooding.stopped.Load() && sent <= 2*tc.want {
					flooding.send(watch.Bookmark, object)
					synctest.Wait()
					sent++
				}
				if sent < tc.want*9/10 || sent > tc.want*11/10 {
					t.Errorf("want the stream closed after %d events, got %d", tc.want, sent)
				}
				if b.Look(calico, client)(targets[0]) {
					t.Error("want it known that something may be missed")
				}
				afterRestart()
				if again := b.wantRunning(t, "after a while", 1)[0]; again.from != "" {
					t.Errorf("want it to begin anew, got %q", again.from)
				}
			})
		})
	}
}

// TestAFloodOfARealServerIsBounded is about what a hostile server gets rid of.
func TestAFloodOfARealServerIsBounded(t *testing.T) {
	t.Parallel()
	server := newHostile(t, func(w http.ResponseWriter, r *http.Request) {
		if !r.URL.Query().Has("watch") {
			_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"1"}}`)
			return
		}
		repeat(w, modified(10_000), forEver)
	})
	told := &counted{}
	watches := NewWatches(t.Context(), told.notify)
	watches.Set(calico, newClient(t, server.config()), membersOf(t, "ours"))
	testenv.Eventually(t, "the stream is opened anew", func() bool { return server.requests.Load() >= 4 })
	if sent := server.sent.Load(); sent < byteBurst || sent > byteBurst+16<<20 {
		t.Errorf("want some %d bytes read, got %d", byteBurst, sent)
	}
	if got := told.of(calico); got > wakeBurst+10 {
		t.Errorf("want at most %d notifications, got %d", wakeBurst, got)
	}
}

// TestEventsThatNeverEndHoldLittle is about a cluster that begins a large event on each
// of its streams and does not go on.
func TestEventsThatNeverEndHoldLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, client := newBubble(t), &Client{}
		var targets []rollout.Target
		for i := range 20 {
			targets = append(targets, rollout.Target{Resource: manifest.Resource{Version: "v1", Plural: "kind" + strconv.Itoa(i)}})
		}
		b.Set(calico, client, targets)
		afterStart()
		all := b.wantRunning(t, "each kind", len(targets))
		for _, stream := range all {
			go stream.write(`{"type":"ADDED` + strings.Repeat(" ", 1<<20))
		}
		synctest.Wait()
		if open := b.server.running(); len(open) != largeFrames {
			t.Errorf("want %d large events at once, got %d", largeFrames, len(open))
		}
		elapse(frameTime)
		for _, stream := range all {
			if !stream.stopped.Load() {
				t.Error("want an event that does not end given up")
			}
		}
	})
}

func TestAnEventOfMuchIsNotDecoded(t *testing.T) {
	t.Parallel()
	text := `{"type":"MODIFIED","object":{"metadata":{"managedFields":[{}` + strings.Repeat(",{}", maxFrameNodes/2) + `]}}}`
	if _, err := decodeEvent([]byte(text)); err == nil || !strings.Contains(err.Error(), fmt.Sprint(maxFrameNodes)) {
		t.Errorf("want an event of too many values, got %v", err)
	}
}

func TestStreamsOfAClusterRememberABoundedNumberOfObjects(t *testing.T) {
	t.Parallel()
	shared := newLimits()
	var streams []*stream
	for range 3 {
		streams = append(streams, newStream(membersTarget(t), subscriber{content: true}, shared))
	}
	remembered := func() int { return len(streams[0].contents) + len(streams[1].contents) + len(streams[2].contents) }
	for n := range 3 * maxContents {
		for _, s := range streams {
			s.keysFor(event{kind: watch.Added, object: uint64(n), content: 1})
		}
		if remembered() > maxContents || remembered() != shared.contents {
			t.Fatalf("want at most %d objects remembered and counted, got %d, %d", maxContents, remembered(), shared.contents)
		}
	}
	for _, s := range streams {
		for object := range s.contents {
			s.keysFor(event{kind: watch.Deleted, object: object})
			break
		}
		s.forget()
	}
	if remembered() != 0 || shared.contents != 0 {
		t.Errorf("want nothing left, got %d, %d", remembered(), shared.contents)
	}
}
