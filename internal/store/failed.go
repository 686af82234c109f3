package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// failed returns err, which the disk returned during op, with the reason
// StoreFailed and, where there is one, a hint what to do.
func (s *Store) failed(op string, err error) error {
	err = bare(err)
	if hint := hintFor(err); hint != "" {
		err = fmt.Errorf("%w: %s", err, hint)
	}
	return fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("cache directory %s: %s: %w", s.dir, op, err))
}

// bare returns err without the path that it is about: the random name of a
// temporary file would make every message a new one.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}

func hintFor(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "give the volume more space"
	case errors.Is(err, syscall.EROFS):
		return "mount the volume writable"
	case errors.Is(err, fs.ErrPermission):
		return "let the provider's user write to it"
	}
	return ""
}
