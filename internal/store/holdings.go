package store

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	// blockSize is what a file counts at least, and in multiples of which. It also bounds
	// how many files there are: 48 Ki in a cache of 3 GiB.
	blockSize = 64 << 10

	// listEvery is how old a listing of the directory may be. Until then this process
	// keeps account of what it does itself: to list 30,000 files takes 0.6 s.
	listEvery = time.Minute
)

// entry is everything that the store holds for one digest.
type entry struct {
	digest digest.Digest
	files  map[string]int64 // what each takes, by its name
	bytes  int64
	used   time.Time
}

// holdings are what the directory holds.
type holdings struct {
	listed  time.Time
	entries map[digest.Digest]*entry
	// temps are files in the making.
	temps map[string]int64
	// bytes of all.
	bytes int64
}

// holdings returns what the directory holds: as it was listed, since other processes add
// and remove files too, with what this process did since. The caller holds publishing.
func (s *Store) holdings() (*holdings, error) {
	now := s.now()
	if s.held != nil && now.Sub(s.held.listed) < s.listEvery {
		return s.held, nil
	}
	listed, err := s.list()
	if err != nil {
		return nil, err
	}
	listed.listed = now
	s.held = listed
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetExpired(now)
	return s.held, nil
}

// list lists the directory. Files with other names are ignored.
func (s *Store) list() (*holdings, error) {
	folders, err := s.kinds()
	if err != nil {
		return nil, err
	}
	h := &holdings{entries: map[digest.Digest]*entry{}, temps: map[string]int64{}}
	for _, folder := range append(folders, blobDir, partialDir, tempDir) {
		files, err := fs.ReadDir(s.root.FS(), folder)
		if err != nil {
			return nil, s.failed("list "+folder, err)
		}
		for _, file := range files {
			stat, err := file.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // another process evicted it since
			}
			if err != nil {
				return nil, s.failed("list "+folder, err)
			}
			h.set(path.Join(folder, file.Name()), s.onDisk(stat.Size()), stat.ModTime())
		}
	}
	return h, nil
}

// onDisk is what a file of that size counts.
func (s *Store) onDisk(size int64) int64 { return (size + s.block - 1) / s.block * s.block }

// changed looks at files that this process wrote or removed.
func (s *Store) changed(names ...string) {
	s.publishing.Lock()
	defer s.publishing.Unlock()
	for _, name := range names {
		s.look(name)
	}
}

// look is changed for who holds publishing.
func (s *Store) look(name string) {
	if s.held == nil {
		return
	}
	stat, err := s.root.Lstat(name)
	if err != nil {
		s.held.drop(name)
		return
	}
	s.held.set(name, s.onDisk(stat.Size()), stat.ModTime())
}

// digestOfFile returns the digest that a file belongs to, false for a file in the making
// and for one of somebody else.
func digestOfFile(name string) (digest.Digest, bool) {
	d := digest.NewDigestFromEncoded(digest.SHA256, strings.TrimSuffix(path.Base(name), validatorSuffix))
	return d, path.Dir(name) != tempDir && d.Validate() == nil
}

func (h *holdings) set(name string, size int64, used time.Time) {
	h.drop(name)
	d, ok := digestOfFile(name)
	switch {
	case ok:
		h.add(d, name, size, used)
	case path.Dir(name) == tempDir:
		h.temps[name] = size
		h.bytes += size
	}
}

func (h *holdings) add(d digest.Digest, name string, size int64, used time.Time) {
	e, ok := h.entries[d]
	if !ok {
		e = &entry{digest: d, files: map[string]int64{}}
		h.entries[d] = e
	}
	e.files[name] = size
	e.bytes += size
	h.bytes += size
	if used.After(e.used) {
		e.used = used
	}
}

func (h *holdings) drop(name string) {
	h.bytes -= h.temps[name]
	delete(h.temps, name)
	d, _ := digestOfFile(name)
	e, ok := h.entries[d]
	if !ok {
		return
	}
	h.bytes -= e.files[name]
	e.bytes -= e.files[name]
	delete(e.files, name)
	if len(e.files) == 0 {
		delete(h.entries, d)
	}
}

// sizeOf returns what a file counts, zero if there is none.
func (h *holdings) sizeOf(name string) int64 {
	d, _ := digestOfFile(name)
	if e, ok := h.entries[d]; ok {
		return e.files[name]
	}
	return 0
}

// forget drops everything of a digest.
func (h *holdings) forget(d digest.Digest) {
	if e, ok := h.entries[d]; ok {
		h.bytes -= e.bytes
		delete(h.entries, d)
	}
}
