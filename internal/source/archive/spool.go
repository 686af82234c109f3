package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Scratch is a file for bytes that are needed until Close, such as an *os.File
// whose name is already removed. It is empty and only written at its end.
type Scratch interface {
	io.Writer
	io.ReaderAt
	io.Closer
}

// span is the place of a file in the scratch file.
type span struct{ offset, size int64 }

// spool keeps files one after another in a scratch file.
type spool struct {
	scratch Scratch
	spans   map[string]span
	size    int64
	buffer  []byte
	// err is the error of writing.
	err error
}

func newSpool(scratch func() (Scratch, error)) (*spool, error) {
	file, err := scratch()
	if err != nil {
		return nil, scratchFailed("create", err)
	}
	return &spool{scratch: file, spans: map[string]span{}, buffer: make([]byte, bufferSize)}, nil
}

// close lets go of the scratch file: its bytes are not needed any more, and so
// neither is the error.
func (s *spool) close() { _ = s.scratch.Close() }

// add copies r to the end of the scratch file. An error of r is returned as it is.
func (s *spool) add(name string, r io.Reader) error {
	offset := s.size
	if _, err := io.CopyBuffer(s, r, s.buffer); err != nil {
		return err
	}
	s.spans[name] = span{offset: offset, size: s.size - offset}
	return nil
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.scratch.Write(p)
	s.size += int64(n)
	if err != nil {
		s.err = scratchFailed("write", err)
		return n, s.err
	}
	return n, nil
}

// open returns a reader of a file that was added.
func (s *spool) open(name string) io.Reader {
	at := s.spans[name]
	return &spooled{r: io.NewSectionReader(s.scratch, at.offset, at.size), left: at.size}
}

// spooled reads a file from the scratch file. It notices when the scratch file
// has become shorter.
type spooled struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (s *spooled) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.left -= int64(n)
	switch {
	case err == nil, err == io.EOF && s.left == 0:
		return n, err
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	return n, scratchFailed("read", err)
}

// scratchFailed returns err without the random name of the file, which would
// make every message a new one. An error that has a class keeps it.
func scratchFailed(op string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fmt.Errorf("scratch file: %s: %w", op, err)
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("scratch file: %s: %w", op, err))
}
