package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// bufferSize is how many bytes are copied at once.
const bufferSize = 128 << 10

// Commit copies r into the store as the blob with digest want, and returns its
// size in bytes. When the store has the blob already, r is not read.
//
// An error leaves nothing behind. It is a Stall with the reason DigestMismatch
// when the bytes have another digest, and with the reason LimitExceeded when
// there are more than limit; it has the reason StoreFailed when the disk fails,
// or when the store's own limit leaves no room. An error of r, or of ctx between
// two reads, is wrapped and keeps its class. ctx does not interrupt a read of r
// that blocks: that is up to r. Commit takes no lock of the digest.
func (s *Store) Commit(ctx context.Context, want digest.Digest, r io.Reader, limit int64) (size int64, err error) {
	name, err := blobPath(want)
	if err != nil {
		return 0, err
	}
	if size, ok, err := s.present(want, limit); ok || err != nil {
		return size, err
	}
	s.countFor(ctx, want)
	in := s.bounded(ctx, r, 0, limit)
	g := growth{op: "write blob " + want.String(), digest: want, namespace: namespaceOf(ctx)}
	err = s.place(g, name, func(w io.Writer) error {
		digester := want.Algorithm().Digester()
		size, err = io.CopyBuffer(io.MultiWriter(w, digester.Hash()), in, make([]byte, bufferSize))
		if err != nil {
			return fmt.Errorf("blob %s: %w", want, err)
		}
		return match(want, digester.Digest())
	})
	if err != nil {
		return 0, err
	}
	return size, nil
}

// place writes a temporary file and gives it the name once it is complete and
// on the disk.
func (s *Store) place(g growth, name string, write func(io.Writer) error) error {
	f, temp, err := s.create(s.root)
	if err != nil {
		return s.failed(g.op, err)
	}
	g.file, g.replaces = temp, name
	out := &watched{w: f}
	published := false
	// Closed last: the lock must hold until the file has left the folder that
	// is swept.
	defer func() {
		if !published {
			_ = s.root.Remove(temp)
			s.changed(temp)
		}
		_ = f.Close()
	}()
	if err := write(s.growing(out, g)); out.err == nil && err != nil {
		return err
	}
	if out.err != nil {
		return s.failed(g.op, out.err)
	}
	err = s.publish(g, f, temp, name)
	published = err == nil
	return err
}

// publish renames the complete file f from temp to name.
func (s *Store) publish(g growth, f interface{ Sync() error }, temp, name string) error {
	if err := f.Sync(); err != nil {
		return s.failed(g.op, err)
	}
	now := s.now()
	if err := s.root.Chtimes(temp, now, now); err != nil {
		return s.failed(g.op, err)
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	if err := s.makeRoom(g); err != nil {
		return err
	}
	if err := s.root.Rename(temp, name); err != nil {
		return s.failed(g.op, err)
	}
	s.look(temp)
	s.look(name)
	if err := s.syncDir(path.Dir(name)); err != nil {
		return s.failed(g.op, err)
	}
	return nil
}

// present returns the size of the blob with digest d when the store has it,
// which counts as a use, or an error when it is larger than limit.
func (s *Store) present(d digest.Digest, limit int64) (size int64, ok bool, err error) {
	name, err := blobPath(d)
	if err != nil {
		return 0, false, err
	}
	size, ok = s.Has(d)
	if ok && size > limit {
		return 0, true, fmt.Errorf("blob %s: %w", d, overLimit(limit))
	}
	if ok {
		s.touch(d, name)
	}
	return size, ok, nil
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
	defer d.Close() //nolint:errcheck // only read
	return d.Sync()
}

// watched keeps the error of its writer, to distinguish an error of the disk from
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

// bounded reads at most a limit of bytes: one more is an error, and so is a ctx
// that is done.
type bounded struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one call of Commit
	r    io.Reader
	left int64
	over error
}

// bounded returns r as the bytes after the first from of a file of at most limit
// bytes. A file that the store could never hold is not read to its end.
func (s *Store) bounded(ctx context.Context, r io.Reader, from, limit int64) *bounded {
	if limit > s.maxBytes {
		return &bounded{ctx: ctx, r: r, left: s.maxBytes - from, over: s.noRoom("write")}
	}
	return &bounded{ctx: ctx, r: r, left: limit - from, over: overLimit(limit)}
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, b.over
	}
	return n, err
}

func overLimit(limit int64) error {
	return fault.Stallf(v1alpha1.LimitExceededReason, "larger than the limit of %d bytes", limit)
}

// errMismatch is in the error of bytes that do not have the wanted digest.
var errMismatch = errors.New("the source changed or is another file")

// match returns an error unless the digests are the same. It does not say which digest
// and size the bytes have: whoever names a server that only the manager can reach
// would learn what it serves.
func match(want, got digest.Digest) error {
	if got == want {
		return nil
	}
	return fault.Stallf(v1alpha1.DigestMismatchReason, "the bytes are not those of the digest %s: %w", want, errMismatch)
}
