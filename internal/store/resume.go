package store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Partial describes what is stored of a download that was interrupted. Its zero
// value is that of no download.
type Partial struct {
	// Offset is the number of bytes that are stored.
	Offset int64
	// Validator of the Body that they came from.
	Validator string
}

// Body reads the bytes of a file from Offset on.
type Body struct {
	io.ReadCloser

	// Offset is where the bytes begin: at Partial.Offset, or at 0.
	Offset int64
	// Validator names this version of the file at its server, such as a strong
	// ETag. Without it an interrupted download is not kept.
	Validator string
}

// OpenFunc opens a file where have ends, or at 0 if that is not possible.
type OpenFunc func(ctx context.Context, have Partial) (Body, error)

// Resume is Commit for a source that can be opened in the middle. It calls open
// with what an earlier call, perhaps of another process, left behind when it was
// interrupted, closes the body, and returns the blob's size in bytes. When the
// store has the blob already, open is not called.
//
// Bytes are kept for a day after an error that a retry may resolve. Bytes that
// exceed the limit, do not match the digest, or have no validator are not kept,
// and a disk that fails gets its space back. So does one without room: how many bytes
// did not fit in is remembered, and there is no other download before they do. When the
// bytes do not match the digest after a download that went on in the middle, it is
// started again from 0, once.
//
// While another call downloads the same digest from the same place Resume waits for
// it, no longer than ctx, and then finds its bytes; if that call has failed it
// downloads itself. It never waits for another place, which may be slow or hostile: the
// two are downloaded side by side. While the digest is downloaded elsewhere, by this
// process or another, nothing is resumed and nothing is kept.
//
// Errors are those of Commit and LockDigest; those of open are returned as they are.
func (s *Store) Resume(
	ctx context.Context, want digest.Digest, place string, open OpenFunc, limit int64,
) (size int64, err error) {
	if size, ok, err := s.present(want, limit); ok || err != nil {
		return size, err
	}
	lock, err := s.lockDownload(ctx, want, place)
	if err != nil {
		return 0, err
	}
	defer lock.Unlock()
	return s.resume(ctx, want, open, limit)
}

// resume is Resume for the holder of the lock.
func (s *Store) resume(
	ctx context.Context, want digest.Digest, open OpenFunc, limit int64,
) (size int64, err error) {
	if size, ok, err := s.present(want, limit); ok || err != nil {
		return size, err
	}
	s.countFor(ctx, want)
	if err := s.fits(ctx, want); err != nil {
		return 0, err
	}
	_ = s.sweepPartials() // for the space alone: a fault of the disk shows below
	p, err := s.lockPartial(want)
	if errors.Is(err, errLocked) {
		return s.commitFrom(ctx, want, open, limit)
	}
	d := &download{store: s, want: want, open: open, limit: limit, partial: p, op: "write blob " + want.String(),
		namespace: namespaceOf(ctx)}
	if err != nil {
		return 0, s.failed(d.op, err)
	}
	defer func() {
		p.close(d.keep)
		s.changed(p.name, p.name+validatorSuffix)
	}()
	// The process that held the lock until now may have finished.
	if size, ok, err := s.present(want, limit); ok || err != nil {
		return size, err
	}
	if err := d.finish(ctx); err != nil {
		s.noteShort(want, d.size, err)
		return 0, err
	}
	return d.size, nil
}

// commitFrom is Commit with what open opens at 0.
func (s *Store) commitFrom(ctx context.Context, want digest.Digest, open OpenFunc, limit int64) (int64, error) {
	body, err := open(ctx, Partial{})
	if err != nil {
		return 0, err
	}
	defer body.Close() //nolint:errcheck // the digest proves that the body is complete
	if body.Offset != 0 {
		return 0, misplaced(body.Offset)
	}
	return s.Commit(ctx, want, body, limit)
}

// download is one call of Resume.
type download struct {
	store *Store
	want  digest.Digest
	op    string
	// namespace that it is for.
	namespace string
	open      OpenFunc
	limit     int64
	partial   *partial

	size int64 // of what is on the disk
	hash digest.Digester
	// keep is set when the partial download may be resumed later.
	keep bool
}

// finish downloads what is missing and publishes the file.
func (d *download) finish(ctx context.Context) error {
	if err := d.run(ctx); err != nil {
		return err
	}
	return d.publish()
}

// run downloads until the bytes are those of the digest.
func (d *download) run(ctx context.Context) error {
	resumed, err := d.attempt(ctx)
	if resumed && errors.Is(err, errMismatch) {
		// The server has another file now, or the disk another beginning.
		if err := d.partial.reset(); err != nil {
			return d.store.failed(d.op, err)
		}
		_, err = d.attempt(ctx)
	}
	return err
}

// publish gives the file its final name.
func (d *download) publish() error {
	name, err := blobPath(d.want)
	if err != nil {
		return err
	}
	err = d.store.publish(d.growth(), d.partial.file, d.partial.name, name)
	d.partial.published = err == nil
	return err
}

func (d *download) growth() growth {
	return growth{op: d.op, digest: d.want, namespace: d.namespace, file: d.partial.name}
}

// attempt downloads what is missing, and reports whether that was only the end
// of the file.
func (d *download) attempt(ctx context.Context) (resumed bool, err error) {
	d.keep = false
	d.hash = d.want.Algorithm().Digester()
	have, err := d.partial.state(d.hash.Hash(), d.limit)
	if err != nil {
		return false, d.store.failed(d.op, err)
	}
	d.size = have.Offset
	if d.size > 0 && d.hash.Digest() == d.want {
		return true, nil // the process was killed between the last byte and the rename
	}
	d.keep = d.size > 0
	body, err := d.open(ctx, have)
	if err != nil {
		return d.size > 0, err
	}
	defer body.Close() //nolint:errcheck // the digest proves that the body is complete
	if err := d.begin(have, body); err != nil {
		return false, err
	}
	resumed = d.size > 0
	return resumed, d.copy(ctx, body)
}

// begin brings the file to where body begins.
func (d *download) begin(have Partial, body Body) error {
	switch {
	case body.Offset != 0 && body.Offset != have.Offset:
		return misplaced(body.Offset)
	case body.Offset != 0:
		return nil // hashing left the file positioned at its end
	}
	d.keep, d.size, d.hash = false, 0, d.want.Algorithm().Digester()
	if err := d.partial.reset(); err != nil {
		return d.store.failed(d.op, err)
	}
	if err := d.partial.setValidator(body.Validator); err != nil {
		return d.store.failed(d.op, err)
	}
	return nil
}

// copy appends body to the file and compares the digest of the whole.
func (d *download) copy(ctx context.Context, body io.Reader) error {
	out := &watched{w: d.partial.file}
	in := d.store.bounded(ctx, body, d.size, d.limit)
	n, err := io.CopyBuffer(io.MultiWriter(d.store.growing(out, d.growth()), d.hash.Hash()), in, make([]byte, bufferSize))
	d.size += n
	switch {
	case out.err != nil:
		d.keep = false
		return d.store.failed(d.op, out.err)
	case err != nil:
		d.keep = d.size > 0 && in.left >= 0 && fault.ClassOf(err) != fault.ClassStall && !errors.Is(err, errNoRoom)
		return fmt.Errorf("blob %s: %w", d.want, err)
	}
	d.keep = false
	if err := match(d.want, d.hash.Digest()); err != nil {
		return fmt.Errorf("blob %s: %w", d.want, err)
	}
	return nil
}

func misplaced(offset int64) error {
	return fault.Retry(v1alpha1.InternalErrorReason,
		fmt.Errorf("the source was opened at byte %d, which was not asked for", offset))
}
