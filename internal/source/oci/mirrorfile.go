package oci

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// mirrorFileCheck is how often a mirror file is looked at, at most.
const mirrorFileCheck = time.Second

// MirrorFile is a file with mirrors that is read again when it changes. It may
// be used concurrently.
type MirrorFile struct {
	path string
	now  func() time.Time

	mu      sync.Mutex
	checked time.Time
	stamp   stamp
	mirrors []Mirror
	err     error
}

// stamp identifies one state of a file.
type stamp struct {
	modified time.Time
	size     int64
}

// OpenMirrorFile returns the mirror file at path, or an error when it cannot be
// read or is not of the form of ReadMirrors.
func OpenMirrorFile(path string) (*MirrorFile, error) {
	f := &MirrorFile{path: path, now: time.Now}
	if _, err := f.Mirrors(); err != nil {
		return nil, err
	}
	return f, nil
}

// Mirrors returns the mirrors of the file as it is, looked at once a second at
// most. While the file is missing or wrong it returns an error and no mirrors:
// without those of an isolated network, requests would leave it.
func (f *MirrorFile) Mirrors() ([]Mirror, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if !f.checked.IsZero() && now.Sub(f.checked) < mirrorFileCheck {
		return f.mirrors, f.err
	}
	f.checked = now
	if err := f.refresh(); err != nil {
		f.mirrors, f.stamp, f.err = nil, stamp{}, fmt.Errorf("mirror file: %w", err)
	}
	return f.mirrors, f.err
}

// refresh reads the file if it is not as it was. After an error it reads it in
// any case.
func (f *MirrorFile) refresh() error {
	found, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	current := stamp{modified: found.ModTime(), size: found.Size()}
	if current == f.stamp {
		return nil
	}
	mirrors, err := readMirrorFile(f.path)
	if err != nil {
		return err
	}
	f.mirrors, f.stamp, f.err = mirrors, current, nil
	return nil
}

func readMirrorFile(path string) ([]Mirror, error) {
	file, err := os.Open(path) //nolint:gosec // it is the operator who names it, by a flag
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxMirrorFile+1))
	if err != nil {
		return nil, err
	}
	mirrors, err := ReadMirrors(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return mirrors, nil
}
