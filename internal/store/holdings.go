package store

import (
	"errors"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// entry is everything that the store holds for one digest.
type entry struct {
	digest digest.Digest
	names  []string // the derived files first
	bytes  int64
	used   time.Time
}

// holdings are what the directory holds.
type holdings struct {
	entries map[digest.Digest]*entry
	// bytes of the entries, of files in the making, and of scratch files.
	bytes int64
}

// holdings lists the directory, without the file with the name except, which is about
// to be replaced. The disk is asked every time: other processes add and remove files
// too. Files with other names are ignored.
func (s *Store) holdings(except string) (*holdings, error) {
	folders, err := s.kinds()
	if err != nil {
		return nil, err
	}
	h := &holdings{entries: map[digest.Digest]*entry{}, bytes: s.scratch.Load()}
	for _, folder := range append(folders, blobDir, partialDir, tempDir) {
		files, err := fs.ReadDir(s.root.FS(), folder)
		if err != nil {
			return nil, s.failed("list "+folder, err)
		}
		for _, file := range files {
			name := path.Join(folder, file.Name())
			if name == except {
				continue
			}
			if err := s.count(h, folder, file); err != nil {
				return nil, s.failed("list "+folder, err)
			}
		}
	}
	return h, nil
}

// count adds a file. One that vanished since it was listed was evicted by another
// process.
func (s *Store) count(h *holdings, folder string, file fs.DirEntry) error {
	d := digest.NewDigestFromEncoded(digest.SHA256, strings.TrimSuffix(file.Name(), validatorSuffix))
	isEntry := d.Validate() == nil
	if !isEntry && folder != tempDir {
		return nil
	}
	stat, err := file.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	size := s.onDisk(stat.Size())
	h.bytes += size
	if isEntry {
		h.add(d, path.Join(folder, file.Name()), size, stat.ModTime())
	}
	return nil
}

// onDisk is how many bytes a file of that size takes: of many small ones it is the
// blocks that fill the volume.
func (s *Store) onDisk(size int64) int64 { return (size + s.block - 1) / s.block * s.block }

func (h *holdings) add(d digest.Digest, name string, size int64, used time.Time) {
	e, ok := h.entries[d]
	if !ok {
		e = &entry{digest: d}
		h.entries[d] = e
	}
	e.names = append(e.names, name)
	e.bytes += size
	if used.After(e.used) {
		e.used = used
	}
}
