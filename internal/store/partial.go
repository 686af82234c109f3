package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"
)

const (
	// partialAge is how long a partial download is kept after its last byte.
	partialAge = 24 * time.Hour

	// maxValidator bounds a validator in bytes.
	maxValidator = 1024

	validatorSuffix = ".validator"
)

// errLocked is the error of a partial download that another process works on.
var errLocked = errors.New("another process downloads it")

// partialFile is a download that may be resumed.
type partialFile interface {
	io.ReadWriteSeeker
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// openPartial opens and locks the file with the given name below root, and
// creates it if it is missing. The error is errLocked when another process holds the lock.
func openPartial(root *os.Root, name string) (partialFile, error) {
	for range createAttempts {
		f, err := root.OpenFile(name, os.O_CREATE|os.O_RDWR, fileMode)
		if err != nil {
			return nil, err
		}
		err = lock(f)
		if err == nil && sameFile(root, name, f) {
			return f, nil
		}
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, errLocked // it was finished or swept every time
}

// partial is the partial download of one digest, locked. Its errors are those of
// the disk.
type partial struct {
	root *os.Root
	name string
	file partialFile
	// published is set once the file has its final name.
	published bool
}

// lockPartial opens and locks the partial download of d. The error is errLocked
// when another process holds the lock.
func (s *Store) lockPartial(d digest.Digest) (*partial, error) {
	name := path.Join(partialDir, d.Encoded())
	f, err := s.openPartial(s.root, name)
	if err != nil {
		return nil, err
	}
	return &partial{root: s.root, name: name, file: f}, nil
}

// state returns how much of the download there is, and copies it to w. A download
// that has no validator, is longer than limit, or cannot be read, cannot be
// resumed and is dropped.
func (p *partial) state(w io.Writer, limit int64) (Partial, error) {
	validator := p.validator()
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return Partial{}, err
	}
	size, err := io.Copy(w, p.file)
	if err != nil || validator == "" || size > limit || size == 0 {
		return Partial{}, p.reset()
	}
	return Partial{Offset: size, Validator: validator}, nil
}

// reset drops the bytes, and then the validator that belongs to them.
func (p *partial) reset() error {
	if err := p.file.Truncate(0); err != nil {
		return err
	}
	if _, err := p.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return p.removeValidator()
}

// validator returns the validator of the bytes, or "" if it is not known.
func (p *partial) validator() string {
	f, err := p.root.Open(p.name + validatorSuffix)
	if err != nil {
		return ""
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxValidator+1))
	if err != nil || len(text) > maxValidator || slices.ContainsFunc(text, isControl) {
		return ""
	}
	return string(text)
}

// isControl reports whether a header cannot have the byte: a request with it would fail
// until the download is swept.
func isControl(b byte) bool { return b < ' ' && b != '\t' || b == 0x7f }

// setValidator stores the validator of the bytes that follow. It must be stored
// before them.
func (p *partial) setValidator(validator string) error {
	if validator == "" || len(validator) > maxValidator {
		return nil
	}
	return p.root.WriteFile(p.name+validatorSuffix, []byte(validator), fileMode)
}

func (p *partial) removeValidator() error {
	if err := p.root.Remove(p.name + validatorSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// close releases the download, and drops what is left of it unless keep is set and
// it can be resumed.
func (p *partial) close(keep bool) {
	if !p.published && (!keep || p.validator() == "") {
		_ = p.root.Remove(p.name)
	}
	if !keep {
		_ = p.removeValidator()
	}
	// Closed last: the lock must hold until the files are gone.
	_ = p.file.Close()
}

// sweepPartials removes the partial downloads that were not resumed for long.
func (s *Store) sweepPartials() error {
	entries, err := fs.ReadDir(s.root.FS(), partialDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		stat, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !stat.Mode().IsRegular() || s.now().Sub(stat.ModTime()) <= partialAge {
			continue
		}
		if err := s.sweepPartial(path.Join(partialDir, entry.Name())); err != nil {
			return fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	return nil
}

// sweepPartial removes a file that is old. A validator goes with the bytes that
// it belongs to, and is as old as their beginning only.
func (s *Store) sweepPartial(name string) error {
	bytes, isValidator := strings.CutSuffix(name, validatorSuffix)
	if !isValidator {
		return sweepFile(s.root, name)
	}
	if _, err := s.root.Lstat(bytes); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
