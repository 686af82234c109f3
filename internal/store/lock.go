package store

import (
	"context"
	"fmt"
	"sync"

	"github.com/opencontainers/go-digest"
)

// Lock is held by at most one caller of a Store per digest. It does not exclude
// other processes that use the same directory, nor another Store on it.
type Lock struct {
	store  *Store
	digest digest.Digest
	unlock func()
}

// LockDigest waits until nobody else holds the lock of the digest d. The wait
// ends with ctx: the error then wraps the cause of its end. Resume takes the
// lock itself; LockDigest is for callers that do more than one thing with a
// digest, such as a download and what is derived from it.
func (s *Store) LockDigest(ctx context.Context, d digest.Digest) (*Lock, error) {
	unlock, err := s.locks.lock(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("blob %s: %w", d, err)
	}
	return &Lock{store: s, digest: d, unlock: unlock}, nil
}

// Unlock lets the next caller have the lock. It is called once.
func (l *Lock) Unlock() { l.unlock() }

// Resume is Store.Resume for the holder of the digest's lock, with the same errors.
func (l *Lock) Resume(ctx context.Context, open OpenFunc, limit int64) (size int64, err error) {
	return l.store.resume(ctx, l.digest, open, limit)
}

// digestLocks holds the locks that are taken.
type digestLocks struct {
	mu sync.Mutex
	// released has, for each lock that is held, a channel that is closed when it
	// is released. Guarded by mu.
	released map[digest.Digest]chan struct{}
}

// lock waits for the lock of d and returns the function that releases it.
func (l *digestLocks) lock(ctx context.Context, d digest.Digest) (unlock func(), err error) {
	for {
		released, held := l.tryLock(d)
		if !held {
			return func() { l.unlock(d) }, nil
		}
		select {
		case <-released:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryLock takes the lock of d, or reports that it is held and returns the channel
// that is closed when it is released.
func (l *digestLocks) tryLock(d digest.Digest) (released <-chan struct{}, held bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if released, held := l.released[d]; held {
		return released, true
	}
	l.released[d] = make(chan struct{})
	return nil, false
}

func (l *digestLocks) unlock(d digest.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.released[d])
	delete(l.released, d)
}
