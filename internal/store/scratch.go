package store

import (
	"io"
	"os"
	"syscall"
)

// Scratch is a file for reading and writing on the volume of the cache directory, for
// what does not fit into memory. It has no name, so that its bytes are gone with Close,
// however the process ends. Until then they count for the limit.
type Scratch struct {
	file  *os.File
	store *Store
	grow  *growing
	size  int64
}

var _ interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.Closer
} = (*Scratch)(nil)

// Scratch returns an empty file. An error has the reason StoreFailed.
func (s *Store) Scratch() (*Scratch, error) {
	const op = "create a scratch file"
	f, name, err := newTemp(s.root)
	if err != nil {
		return nil, s.failed(op, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if err := s.root.Remove(name); err != nil {
		return nil, s.failed(op, err)
	}
	// A second descriptor gives the file another name in errors: the random one
	// would make every message a new one.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := syscall.Dup(int(f.Fd()))
	if err != nil {
		return nil, s.failed(op, err)
	}
	syscall.CloseOnExec(fd)
	scratch := &Scratch{file: os.NewFile(uintptr(fd), "scratch file in "+s.dir), store: s}
	scratch.grow = s.growing(scratch.file, growth{op: "write a scratch file"})
	return scratch, nil
}

// Write implements io.Writer. The error has the reason StoreFailed when the store's
// limit leaves no room.
func (s *Scratch) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	s.store.scratch.Add(int64(len(p)))
	return s.grow.Write(p)
}

// Read implements io.Reader.
func (s *Scratch) Read(p []byte) (int, error) { return s.file.Read(p) }

// ReadAt implements io.ReaderAt.
func (s *Scratch) ReadAt(p []byte, at int64) (int, error) { return s.file.ReadAt(p, at) }

// Seek implements io.Seeker.
func (s *Scratch) Seek(offset int64, whence int) (int64, error) { return s.file.Seek(offset, whence) }

// Close implements io.Closer.
func (s *Scratch) Close() error {
	s.store.scratch.Add(-s.size)
	s.size = 0
	return s.file.Close()
}
