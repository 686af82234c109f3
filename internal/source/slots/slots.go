package slots

import (
	"context"
	"slices"
	"sync"
)

// Slots are what may be done at once. They may be used concurrently.
type Slots struct {
	mu   sync.Mutex
	each int            // guarded by mu, as is what follows
	free int            // below zero while more are held than there are since Resize
	all  int            // that free counts from
	held map[string]int // by namespace, without those that hold none

	// waiting has those who wait by namespace, the first one first. Their channels are
	// closed when they hold a slot.
	waiting map[string][]chan struct{}
	// turns are the namespaces that wait, the next one first.
	turns []string
}

// New returns so many slots for all namespaces together, of which each may hold some.
func New(each, all int) *Slots {
	return &Slots{each: each, free: all, all: all, held: map[string]int{}, waiting: map[string][]chan struct{}{}}
}

// Resize has as many slots as New would. Who holds one keeps it: while more are held than
// there are, nobody else gets one.
func (s *Slots) Resize(each, all int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += all - s.all
	s.each, s.all = each, all
	s.grant()
}

// Acquire waits for a slot of a namespace. Who holds one calls release, once or more. The
// wait ends with ctx: the error is then the cause of its end.
func (s *Slots) Acquire(ctx context.Context, namespace string) (release func(), err error) {
	granted := s.enqueue(namespace)
	release = sync.OnceFunc(func() { s.release(namespace) })
	select {
	case <-granted:
		return release, nil
	case <-ctx.Done():
	}
	if !s.leave(namespace, granted) {
		release() // it was granted in the meantime
	}
	return nil, context.Cause(ctx)
}

// enqueue has the caller wait, and returns the channel that is closed when its wait is
// over.
func (s *Slots) enqueue(namespace string) chan struct{} {
	granted := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting[namespace]) == 0 {
		s.turns = append(s.turns, namespace)
	}
	s.waiting[namespace] = append(s.waiting[namespace], granted)
	s.grant()
	return granted
}

// release gives a slot back.
func (s *Slots) release(namespace string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free++
	if s.held[namespace]--; s.held[namespace] == 0 {
		delete(s.held, namespace)
	}
	s.grant()
}

// leave ends the wait for a slot, and reports whether it was still waited for.
func (s *Slots) leave(namespace string, granted chan struct{}) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.waiting[namespace], granted)
	if at < 0 {
		return false
	}
	s.waiting[namespace] = slices.Delete(s.waiting[namespace], at, at+1)
	if len(s.waiting[namespace]) == 0 {
		delete(s.waiting, namespace)
		s.turns = slices.DeleteFunc(s.turns, func(turn string) bool { return turn == namespace })
	}
	return true
}

// grant gives the free slots to namespaces that hold less than their share, in turn. It
// needs mu.
func (s *Slots) grant() {
	for at := 0; s.free > 0 && at < len(s.turns); {
		namespace := s.turns[at]
		if s.held[namespace] >= s.each {
			at++
			continue
		}
		s.turns = slices.Delete(s.turns, at, at+1)
		queue := s.waiting[namespace]
		close(queue[0])
		s.free--
		s.held[namespace]++
		if len(queue) == 1 {
			delete(s.waiting, namespace)
			continue
		}
		s.waiting[namespace] = queue[1:]
		s.turns = append(s.turns, namespace)
	}
}
