package store

import (
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"
)

// markEvery is how often a use is written to the disk, as the modification time
// of the file that was used: often enough for a choice among bundles after a
// restart, and for the other processes of the directory.
const markEvery = time.Minute

// namedFor is how long a digest counts as named after its last use. Every Bundle opens
// its releases more often than that.
const namedFor = time.Hour

// usage is when a blob, or what is derived from it, was used by this process.
type usage struct {
	last   time.Time
	marked time.Time
}

// Pin keeps the blobs with the given digests, and what is derived from them,
// from being evicted by this process until release is called. A blob may be
// pinned before it is there, and more than once. Pins do not bind the other
// processes of the directory, nor Remove: a pinned blob may still be gone, and
// is then fetched again.
func (s *Store) Pin(digests ...digest.Digest) (release func()) {
	digests = slices.Clone(digests)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range digests {
		s.pins[d]++
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, d := range digests {
			if s.pins[d]--; s.pins[d] == 0 {
				delete(s.pins, d)
			}
		}
	})
}

// Name notes that a Bundle names the blob with digest d. What is named is not evicted:
// a cache that is too small for what Bundles name would download it in a circle. It
// counts as named for an hour, or until Forget.
func (s *Store) Name(bundle types.NamespacedName, d digest.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.named[d] == nil {
		s.named[d] = map[types.NamespacedName]time.Time{}
	}
	s.named[d][bundle] = s.now()
}

// Forget notes that a Bundle is gone, or is to name anew what it names.
func (s *Store) Forget(bundle types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d := range s.named {
		s.forget(d, bundle)
	}
}

// forget needs mu.
func (s *Store) forget(d digest.Digest, bundle types.NamespacedName) {
	delete(s.named[d], bundle)
	if len(s.named[d]) == 0 {
		delete(s.named, d)
	}
}

// forgetExpired drops what was not used for long. It needs mu.
func (s *Store) forgetExpired(now time.Time) {
	for d, bundles := range s.named {
		for bundle, last := range bundles {
			if now.Sub(last) > namedFor {
				s.forget(d, bundle)
			}
		}
	}
}

// touch notes that the file with the given name, of the blob with digest d, is
// used now.
func (s *Store) touch(d digest.Digest, name string) {
	now := s.now()
	s.mu.Lock()
	used := s.uses[d]
	mark := now.Sub(used.marked) >= markEvery
	used.last = now
	if mark {
		used.marked = now
	}
	s.uses[d] = used
	s.mu.Unlock()
	if mark {
		// A time that cannot be written costs at worst a download.
		_ = s.root.Chtimes(name, now, now)
	}
}
