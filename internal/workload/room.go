package workload

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// smallAnswer is what an answer may have without a place for large ones.
	smallAnswer = 1 << 20

	// Large answers are read and decoded one by one of a workload cluster, two at
	// once of the Clusters of a namespace, and four at once of all: 64 MiB.
	largeOfNamespace = 2
	largeOfAll       = 4
)

// places are the places for large answers of all workload clusters.
type places struct {
	all *semaphore.Weighted

	mu          sync.Mutex
	byNamespace map[string]*semaphore.Weighted
}

func newPlaces() *places {
	return &places{all: semaphore.NewWeighted(largeOfAll), byNamespace: make(map[string]*semaphore.Weighted)}
}

// of returns the places of one more workload cluster, in the order in which they are
// to be taken: who waits for one of all holds none that another namespace waits for.
func (p *places) of(namespace string) []*semaphore.Weighted {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byNamespace[namespace] == nil {
		p.byNamespace[namespace] = semaphore.NewWeighted(largeOfNamespace)
	}
	return []*semaphore.Weighted{semaphore.NewWeighted(1), p.byNamespace[namespace], p.all}
}

// room is the room of one answer, until it is decoded.
type room struct {
	places []*semaphore.Weighted
	taken  int
}

type roomKey struct{}

// withRoom returns a context for a request, and what gives up the place that its
// answer took.
func withRoom(ctx context.Context, places []*semaphore.Weighted) (context.Context, func()) {
	r := &room{places: places}
	return context.WithValue(ctx, roomKey{}, r), r.free
}

// roomOf returns the room of the answer to a request; nil, which takes no place, for
// one that has none.
func roomOf(ctx context.Context) *room {
	r, _ := ctx.Value(roomKey{}).(*room)
	return r
}

// grow waits for a place when an answer is no longer small. That is not the silence
// of the server. The error is that of the context.
func (r *room) grow(ctx context.Context, size int64, silence *time.Timer) error {
	if r == nil || size < smallAnswer || r.taken == len(r.places) {
		return nil
	}
	silence.Stop()
	for _, place := range r.places[r.taken:] {
		if err := place.Acquire(ctx, 1); err != nil {
			return err
		}
		r.taken++
	}
	return nil
}

func (r *room) free() {
	for r.taken > 0 {
		r.taken--
		r.places[r.taken].Release(1)
	}
}
