package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// bufferSize is how many bytes are copied at once.
const bufferSize = 128 << 10

// Commit copies r into the store as the blob with digest want, and returns its
// size in bytes. When the store has the blob already, r is not read.
//
// An error leaves nothing behind. It is terminal with the reason DigestMismatch
// when the bytes are others, and with the reason LimitExceeded when there are
// more than limit; it has the reason StoreFailed when the disk is at fault. An
// error of r, or of ctx between two reads, is wrapped and keeps its class. A
// read of r that blocks is not cut by ctx: that is up to r.
func (s *Store) Commit(ctx context.Context, want digest.Digest, r io.Reader, limit int64) (size int64, err error) {
	name, err := blobPath(want)
	if err != nil {
		return 0, err
	}
	if size, ok := s.Has(want); ok {
		if size > limit {
			return 0, fmt.Errorf("blob %s: %w", want, overLimit(limit))
		}
		return size, nil
	}
	in := &bounded{ctx: ctx, r: r, left: limit, limit: limit}
	err = s.place("write blob "+want.String(), name, func(w io.Writer) error {
		digester := want.Algorithm().Digester()
		size, err = io.CopyBuffer(io.MultiWriter(w, digester.Hash()), in, make([]byte, bufferSize))
		if err != nil {
			return fmt.Errorf("blob %s: %w", want, err)
		}
		if got := digester.Digest(); got != want {
			return fault.Terminalf(v1alpha1.DigestMismatchReason,
				"want digest %s, got %s (%d bytes): the source changed or is another file", want, got, size)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return size, nil
}

// Derive stores what write writes as the file of the given kind that belongs to
// the blob with digest d, and replaces an earlier one. A kind is at most 63
// lower case letters, digits and hyphens. Writes are buffered. An error of write
// leaves nothing behind, and is returned as it is unless the disk is at fault.
func (s *Store) Derive(kind string, d digest.Digest, write func(io.Writer) error) error {
	name, err := derivedPath(kind, d)
	if err != nil {
		return err
	}
	op := "write " + kind + " of " + d.String()
	if err := s.root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return s.failed(op, err)
	}
	return s.place(op, name, func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, bufferSize)
		if err := write(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
}

// place writes a temporary file and gives it the name once it is complete and
// on the disk.
func (s *Store) place(op, name string, write func(io.Writer) error) error {
	f, temp, err := s.create(s.root)
	if err != nil {
		return s.failed(op, err)
	}
	out := &watched{w: f}
	placed := false
	// Closed last: the lock must hold until the file has left the folder that
	// is swept.
	defer func() {
		if !placed {
			_ = s.root.Remove(temp)
		}
		_ = f.Close()
	}()
	if err := write(out); out.err == nil && err != nil {
		return err
	}
	if out.err != nil {
		return s.failed(op, out.err)
	}
	if err := f.Sync(); err != nil {
		return s.failed(op, err)
	}
	if err := s.root.Rename(temp, name); err != nil {
		return s.failed(op, err)
	}
	placed = true
	if err := s.syncDir(path.Dir(name)); err != nil {
		return s.failed(op, err)
	}
	return nil
}

// probe returns an error when no file can be created, so that a directory that
// is not writable shows when the provider starts.
func (s *Store) probe() error {
	f, temp, err := s.create(s.root)
	if err != nil {
		return s.failed("create a file", err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	if err := s.root.Remove(temp); err != nil {
		return s.failed("remove a file", err)
	}
	return nil
}

func (s *Store) syncDir(name string) error {
	d, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close() //nolint:errcheck // nothing was written
	return d.Sync()
}

// watched keeps the error of its writer, which tells an error of the disk from
// one of the source.
type watched struct {
	w   io.Writer
	err error
}

func (w *watched) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// bounded reads at most limit bytes: one more is an error, and so is a ctx that
// is done.
type bounded struct {
	ctx         context.Context //nolint:containedctx // it lives as long as one call of Commit
	r           io.Reader
	left, limit int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, overLimit(b.limit)
	}
	return n, err
}

func overLimit(limit int64) error {
	return fault.Terminalf(v1alpha1.LimitExceededReason, "larger than the limit of %d bytes", limit)
}
