package workload

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// opened is a stream of a fake API server.
type opened struct {
	*io.PipeReader

	feed    *io.PipeWriter
	stopped atomic.Bool
	client  *Client
	target  rollout.Target
	from    string
	ends    time.Time
}

// send sends an event.
func (o *opened) send(kind watch.EventType, object any) {
	text, err := json.Marshal(map[string]any{"type": kind, "object": object})
	if err != nil {
		panic(err)
	}
	o.write(string(text) + "\n")
}

// write sends a piece of text. It is lost if the client closed the stream.
func (o *opened) write(text string) { _, _ = io.WriteString(o.feed, text) }

// end ends the stream, with io.EOF as a server does that ends it itself.
func (o *opened) end(err error) {
	o.stopped.Store(true)
	_ = o.feed.CloseWithError(err)
}

// Close is called by the client.
func (o *opened) Close() error {
	o.stopped.Store(true)
	return o.PipeReader.Close()
}

// streams opens fake streams, or fails with an error.
type streams struct {
	mu       sync.Mutex
	err      error
	attempts int
	all      []*opened
}

func (s *streams) open(
	ctx context.Context, client *Client, target rollout.Target, from string, lasting time.Duration,
) (*frames, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if s.err != nil {
		return nil, s.err
	}
	body, feed := io.Pipe()
	o := &opened{
		PipeReader: body, feed: feed, client: client, target: target, from: from, ends: time.Now().Add(lasting),
	}
	context.AfterFunc(ctx, func() { o.end(ctx.Err()) })
	s.all = append(s.all, o)
	if from == "" {
		from = "1"
	}
	return newFrames(o, from), nil
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
	return slices.DeleteFunc(slices.Clone(s.all), func(o *opened) bool { return o.stopped.Load() })
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
	both       = map[types.NamespacedName]int{calico: 1, logging: 1}
	onlyCalico = map[types.NamespacedName]int{calico: 1}
	none       = map[types.NamespacedName]int{}
)
