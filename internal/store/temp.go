package store

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// createAttempts bounds how often a new name is tried when the sweep of another
// process removed the file before it was locked.
const createAttempts = 8

// tempFile is a file in the making.
type tempFile interface {
	io.WriteCloser
	Sync() error
}

// createTemp creates a file in the folder of temporary files and locks it, and
// returns it with its name below root. The lock keeps the sweep of another
// process from removing the file.
func createTemp(root *os.Root) (tempFile, string, error) {
	f, name, err := newTemp(root)
	if err != nil {
		return nil, "", err // a nil *os.File would be no nil tempFile
	}
	return f, name, nil
}

func newTemp(root *os.Root) (*os.File, string, error) {
	for range createAttempts {
		name := path.Join(tempDir, rand.Text())
		f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
		if err != nil {
			return nil, "", err
		}
		err = lock(f)
		if err == nil && sameFile(root, name, f) {
			return f, name, nil
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = root.Remove(name)
			return nil, "", err
		}
	}
	return nil, "", errors.New("another process keeps removing temporary files")
}

// sweep removes the temporary files that no living process holds.
func sweep(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), tempDir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !entry.Type().IsRegular() {
			continue
		}
		if err := sweepFile(root, path.Join(tempDir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func sweepFile(root *os.Root, name string) error {
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // finished or swept by another process since it was listed
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	if err := lock(f); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil
		}
		return err
	}
	// Removed while the lock is held: who created it a moment ago and has not
	// locked it yet sees that it is gone and creates another.
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// lock takes the lock of f, or returns syscall.EWOULDBLOCK when it is held.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// sameFile reports whether name still leads to f.
func sameFile(root *os.Root, name string, f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := root.Lstat(name)
	return err == nil && os.SameFile(opened, named)
}
