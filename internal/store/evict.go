package store

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// growth is a file that gets longer.
type growth struct {
	op string
	// digest of the entry that it belongs to, which is spared; empty for none.
	digest digest.Digest
	// namespace that it is for; empty for none.
	namespace string
	// file is its name; empty for one without a name.
	file string
	// replaces is the name of the file that goes away with it.
	replaces string
	// ahead are the bytes that are not on the disk yet.
	ahead int64
}

// askRoom is makeRoom for a file that is not complete yet.
func (s *Store) askRoom(g growth) error {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	return s.makeRoom(g)
}

// makeRoom evicts what no Bundle names, the least recently used first, until what a
// namespace uses is within its share, and what the directory holds within the limit. If
// that is not possible it returns an error. The caller holds publishing.
func (s *Store) makeRoom(g growth) error {
	held, err := s.holdings()
	if err != nil {
		return err
	}
	s.look(g.file)
	// Held while files are removed: a caller that pins a blob and then finds it
	// must not lose it.
	s.mu.Lock()
	defer s.mu.Unlock()
	used := s.bytesByNamespace(held)
	if err := s.keepShare(g, held, used); err != nil {
		return err
	}
	over := held.bytes + s.scratch.Load() + g.ahead - held.sizeOf(g.replaces) - s.maxBytes
	if over <= 0 {
		return nil
	}
	counts := s.isWithinShare(used)
	freed, err := s.free(held, over, func(e *entry) bool { return s.isFree(g, e) && !s.isNamed(e.digest, counts) })
	if err == nil && !freed {
		err = s.noRoom(g.op)
	}
	return err
}

// isFree reports whether nobody works on an entry, so that g may have it evicted. It
// needs mu.
func (s *Store) isFree(g growth, e *entry) bool { return e.digest != g.digest && s.pins[e.digest] == 0 }

// free removes the entries that it may, the least recently used first, until over bytes
// are free. It reports false, and removes nothing, if they are not as many. The caller
// holds publishing and mu.
func (s *Store) free(held *holdings, over int64, may func(*entry) bool) (bool, error) {
	var candidates []*entry
	free := int64(0)
	for _, e := range held.entries {
		if !may(e) {
			continue
		}
		if used := s.uses[e.digest].last; used.After(e.used) {
			e.used = used
		}
		candidates, free = append(candidates, e), free+e.bytes
	}
	if free < over {
		return false, nil
	}
	slices.SortFunc(candidates, func(a, b *entry) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.digest, b.digest))
	})
	for _, e := range candidates {
		if over <= 0 {
			break
		}
		// In this order the derived files come before the blob.
		if err := s.remove(e.digest, slices.Sorted(maps.Keys(e.files))); err != nil {
			return false, err
		}
		over -= e.bytes
	}
	return true, nil
}

// errNoRoom is in the error of a file that does not fit in.
var errNoRoom = errors.New("leaves no room")

func (s *Store) noRoom(op string) error {
	return fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf(
		"cache directory %s: %s: the limit of %d bytes (flag --cache-max-bytes) %w beside what Bundles name: "+
			"give the volume more space and raise the limit, or name less in Bundles", s.dir, op, s.maxBytes, errNoRoom))
}
