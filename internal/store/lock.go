package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"
)

// key is what a lock is for: the bytes of a digest as one place has them, or, without a
// place, what a namespace makes of them on the disk.
type key struct {
	digest           digest.Digest
	place, namespace string
}

// Lock is held by at most one caller of a Store at a time. It does not exclude
// other processes that use the same directory, nor another Store on it.
type Lock struct{ unlock func() }

// LockDigest waits until nobody else of a namespace works on what is derived from the
// digest d. The wait ends with ctx: the error then wraps the cause of its end. What two
// namespaces derive is the same, and is made twice if they do so at once: none waits in
// the queue of the other.
func (s *Store) LockDigest(ctx context.Context, d digest.Digest, namespace string) (*Lock, error) {
	return s.lock(ctx, key{digest: d, namespace: namespace})
}

// lockDownload waits until nobody else downloads the digest d from a place.
func (s *Store) lockDownload(ctx context.Context, d digest.Digest, place string) (*Lock, error) {
	return s.lock(ctx, key{digest: d, place: place})
}

func (s *Store) lock(ctx context.Context, k key) (*Lock, error) {
	unlock, err := s.locks.lock(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", k.digest, err)
	}
	return &Lock{unlock: unlock}, nil
}

// Unlock lets the next caller have the lock. It is called once.
func (l *Lock) Unlock() { l.unlock() }

// locks holds the locks that are taken.
type locks struct {
	mu sync.Mutex
	// released has, for each lock that is held, a channel that is closed when it
	// is released. Guarded by mu.
	released map[key]chan struct{}
}

// lock waits for the lock of k and returns the function that releases it.
func (l *locks) lock(ctx context.Context, k key) (unlock func(), err error) {
	for {
		released, held := l.tryLock(k)
		if !held {
			return func() { l.unlock(k) }, nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryLock takes the lock of k, or reports that it is held and returns the channel
// that is closed when it is released.
func (l *locks) tryLock(k key) (released <-chan struct{}, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if released, held := l.released[k]; held {
		return released, true
	}
	l.released[k] = make(chan struct{})
	return nil, false
}

func (l *locks) unlock(k key) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.released[k])
	delete(l.released, k)
}
