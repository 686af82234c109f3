package fetch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// openFile opens a file below the bundle directory. The directory is opened
// every time: a volume behind it may have been mounted again.
func (s *Sources) openFile(name string) (io.ReadCloser, error) {
	dir := s.cfg.BundleDir
	if dir == "" {
		return nil, fault.Stallf(v1alpha1.SourceInvalidReason,
			"%s: the provider has no bundle directory (flag --bundle-dir)", name)
	}
	if !filepath.IsLocal(name) {
		return nil, outside(name, dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fileFailed(name, dir, err)
	}
	defer root.Close() //nolint:errcheck // only read

	// Without O_NONBLOCK opening a named pipe would wait for a writer.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fileFailed(name, dir, err)
	}
	if err := s.checkFile(f, name); err != nil {
		_ = f.Close()
		return nil, err
	}
	return limit(f, name, 0, s.current.Load().MaxBytes), nil
}

func (s *Sources) checkFile(f *os.File, name string) error {
	stat, err := f.Stat()
	if err != nil {
		return fetchFailed(name, bare(err))
	}
	if !stat.Mode().IsRegular() {
		return fault.Stallf(v1alpha1.SourceInvalidReason, "%s: not a regular file", name)
	}
	if limit := s.current.Load().MaxBytes; stat.Size() > limit {
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"%s: %d bytes are more than the limit of %d bytes", name, stat.Size(), limit)
	}
	return nil
}

// fileFailed returns why a file could not be opened. What did not come from the
// system came from os.Root: the path leaves the directory through a link.
func fileFailed(name, dir string, err error) error {
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return outside(name, dir)
	}
	err = bare(err)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("not found in the bundle directory %s (flag --bundle-dir): %w", dir, fs.ErrNotExist)
	}
	return fetchFailed(name, err)
}

func outside(name, dir string) error {
	return fault.Stallf(v1alpha1.SourceInvalidReason, "%s: leads out of the bundle directory %s", name, dir)
}

func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
