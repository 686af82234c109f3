package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// markEvery is how often a use is written to the disk, as the modification time
// of the file that was used: often enough for a choice among bundles after a
// restart, and for the other processes of the directory.
const markEvery = time.Minute

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

// entry is everything that the store holds for one digest.
type entry struct {
	digest digest.Digest
	names  []string // the derived files first
	bytes  int64
	used   time.Time
}

// makeRoom evicts the least recently used entries until the file temp fits in
// under its name. If that is not possible it evicts nothing and returns an error.
func (s *Store) makeRoom(op, temp, name string) error {
	if s.maxBytes == 0 {
		return nil
	}
	stat, err := s.root.Lstat(temp)
	if err != nil {
		return s.failed(op, err)
	}
	entries, err := s.entries(name)
	if err != nil {
		return err
	}
	over := stat.Size() - s.maxBytes
	for _, e := range entries {
		over += e.bytes
	}
	if over <= 0 {
		return nil
	}
	return s.evict(op, entries, over, path.Base(name))
}

// evict removes entries, the least recently used first, until over bytes are
// free. It spares pinned entries, and the entry with the hex digest own, which is
// about to grow.
func (s *Store) evict(op string, entries []*entry, over int64, own string) error {
	// Held while files are removed: a caller that pins a blob and then finds it
	// must not lose it.
	s.mu.Lock()
	defer s.mu.Unlock()
	entries = slices.DeleteFunc(entries, func(e *entry) bool {
		return s.pins[e.digest] > 0 || e.digest.Encoded() == own
	})
	free := int64(0)
	for _, e := range entries {
		free += e.bytes
		if used := s.uses[e.digest].last; used.After(e.used) {
			e.used = used
		}
	}
	if free < over {
		return s.noRoom(op)
	}
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(a.used.Compare(b.used), cmp.Compare(a.digest, b.digest))
	})
	for _, e := range entries {
		if over <= 0 {
			return nil
		}
		if err := s.remove(e.digest, e.names); err != nil {
			return err
		}
		over -= e.bytes
	}
	return nil
}

// entries returns what the store holds, in no order, without the file with the
// name except, which is about to be replaced. The disk is asked every time: other
// processes add and remove files too. Files with other names are ignored.
func (s *Store) entries(except string) ([]*entry, error) {
	kinds, err := s.kinds()
	if err != nil {
		return nil, err
	}
	all := map[digest.Digest]*entry{}
	for _, folder := range append(kinds, blobDir) {
		files, err := fs.ReadDir(s.root.FS(), folder)
		if err != nil {
			return nil, s.failed("list "+folder, err)
		}
		for _, file := range files {
			d := digest.NewDigestFromEncoded(digest.SHA256, file.Name())
			name := path.Join(folder, file.Name())
			if name == except || d.Validate() != nil {
				continue
			}
			if err := count(all, d, name, file); err != nil {
				return nil, s.failed("list "+folder, err)
			}
		}
	}
	return slices.Collect(maps.Values(all)), nil
}

// count adds a file of d to all. One that vanished since it was listed was
// evicted by another process.
func count(all map[digest.Digest]*entry, d digest.Digest, name string, file fs.DirEntry) error {
	stat, err := file.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	e, ok := all[d]
	if !ok {
		e = &entry{digest: d}
		all[d] = e
	}
	e.names = append(e.names, name)
	e.bytes += stat.Size()
	if stat.ModTime().After(e.used) {
		e.used = stat.ModTime()
	}
	return nil
}

// errNoRoom is in the error of a complete file that was not published.
var errNoRoom = errors.New("leaves no room: what is in use cannot be removed")

func (s *Store) noRoom(op string) error {
	return fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf(
		"cache directory %s: %s: the limit of %d bytes (flag --cache-max-bytes) %w", s.dir, op, s.maxBytes, errNoRoom))
}
