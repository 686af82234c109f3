package signature

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
)

// signersFileCheck is how often a file of signers is looked at, at most.
const signersFileCheck = time.Second

// SignersFile is a file of signers that is read again when it, or a file that it
// names, changes. It may be used concurrently.
type SignersFile struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	checked time.Time
	stamps  map[string]stamp
	signers *Signers
	version digest.Digest
	err     error
}

// stamp identifies one state of a file.
type stamp struct {
	modified time.Time
	size     int64
}

// OpenSignersFile returns the file of signers at path, or an error when it cannot be
// read or is not of the form of ReadSigners. Files that it names are in its
// directory, or named in full. now is the clock.
func OpenSignersFile(path string, now func() time.Time) (*SignersFile, error) {
	f := &SignersFile{path: path, now: now}
	if _, err := f.Signers(); err != nil {
		return nil, err
	}
	return f, nil
}

// Signers returns the signers of the file as it is, looked at once a second at most.
// While it is missing or wrong it returns an error, and nobody is trusted.
func (f *SignersFile) Signers() (*Signers, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.signers, f.err
}

// Version identifies who is trusted. While the file is missing or wrong it stays
// what it was: a mistake in the file withdraws nothing.
func (f *SignersFile) Version() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.look()
	return f.version.String()
}

// look reads the files if they are not as they were, and after an error in any case.
func (f *SignersFile) look() {
	now := f.now()
	if !f.checked.IsZero() && now.Sub(f.checked) < signersFileCheck {
		return
	}
	f.checked = now
	if f.err == nil && f.isUnchanged() {
		return
	}
	f.stamps = map[string]stamp{}
	f.signers, f.err = f.read()
	if f.err != nil {
		f.signers, f.err = nil, fmt.Errorf("trusted signers: %w", f.err)
		return
	}
	f.version = f.signers.digest()
}

func (f *SignersFile) isUnchanged() bool {
	for path, before := range f.stamps {
		found, err := os.Stat(path)
		if err != nil || stampOf(found) != before {
			return false
		}
	}
	return len(f.stamps) > 0
}

func (f *SignersFile) read() (*Signers, error) {
	content, err := f.readFile(f.path)
	if err != nil {
		return nil, err
	}
	signers, err := ReadSigners(content, func(name string) ([]byte, error) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(f.path), name)
		}
		return f.readFile(name)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return signers, nil
}

// readFile reads a file and remembers its state.
func (f *SignersFile) readFile(path string) ([]byte, error) {
	file, err := os.Open(path) //nolint:gosec // it is the operator who names it, by a flag
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	found, err := file.Stat()
	if err != nil {
		return nil, err
	}
	f.stamps[path] = stampOf(found)
	content, err := io.ReadAll(io.LimitReader(file, maxSignersFile+1))
	if err == nil && len(content) > maxSignersFile {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxSignersFile)
	}
	return content, err
}

func stampOf(found os.FileInfo) stamp { return stamp{modified: found.ModTime(), size: found.Size()} }
