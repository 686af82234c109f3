package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// errDamaged is in the error of a file whose bytes are not those that were written.
var errDamaged = errors.New("the cache directory is damaged")

// content is what this process wrote to a derived file. Nothing else is believed:
// what is on the disk may be of who else can write there, of a version with a bug,
// or made under other limits.
type content struct {
	sum  [sha256.Size]byte
	size int64
}

// Derive stores what write writes as the file of the given kind that belongs to
// the blob with digest d, and replaces an earlier one. A kind is at most 63
// lower case letters, digits and hyphens. Writes are buffered. An error of write
// leaves nothing behind, and is returned as it is unless the disk failed.
// The error has the reason StoreFailed when the store's limit leaves no room.
//
// The file can be read until this Store is closed: what it holds is remembered in
// memory, where who can write to the volume cannot change it.
func (s *Store) Derive(ctx context.Context, kind string, d digest.Digest, write func(io.Writer) error) error {
	name, err := derivedPath(kind, d)
	if err != nil {
		return err
	}
	op := "write " + kind + " of " + d.String()
	if err := s.root.MkdirAll(path.Dir(name), dirMode); err != nil {
		return s.failed(op, err)
	}
	s.countFor(ctx, d)
	written := summed{hash: sha256.New()}
	err = s.place(growth{op: op, digest: d, namespace: namespaceOf(ctx)}, name, func(w io.Writer) error {
		written.w = w
		buffered := bufio.NewWriterSize(&written, bufferSize)
		if err := write(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[name] = content{sum: [sha256.Size]byte(written.hash.Sum(nil)), size: written.size}
	return nil
}

// summed sums what its writer takes.
type summed struct {
	w    io.Writer
	hash hash.Hash
	size int64
}

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.hash.Write(p[:n])
	s.size += int64(n)
	return n, err
}

// OpenDerived opens for reading what Derive wrote for the kind and the blob
// with digest d, which counts as a use of both. The error satisfies
// errors.Is(err, fs.ErrNotExist) when this Store wrote nothing, or when the file
// has another size than what it wrote. Who reads it compares the bytes with what
// it knows of them; ReadDerived does that for the whole file.
func (s *Store) OpenDerived(kind string, d digest.Digest) (*os.File, error) {
	f, _, err := s.openDerived(kind, d)
	return f, err
}

// ReadDerived reads what Derive wrote for the kind and the blob with digest d, which
// counts as a use of both. Other bytes than those are an error, as in OpenDerived.
func (s *Store) ReadDerived(kind string, d digest.Digest) ([]byte, error) {
	f, want, err := s.openDerived(kind, d)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	text := make([]byte, want.size)
	if _, err := io.ReadFull(f, text); err != nil {
		return nil, s.failed("read "+kind+" of "+d.String(), err)
	}
	if sha256.Sum256(text) != want.sum {
		return nil, s.failed("read "+kind+" of "+d.String(), fs.ErrNotExist)
	}
	return text, nil
}

func (s *Store) openDerived(kind string, d digest.Digest) (*os.File, content, error) {
	name, err := derivedPath(kind, d)
	if err != nil {
		return nil, content{}, err
	}
	op := "open " + kind + " of " + d.String()
	s.mu.Lock()
	want, ok := s.made[name]
	s.mu.Unlock()
	if !ok {
		return nil, content{}, s.failed(op, fs.ErrNotExist)
	}
	f, err := s.openFile(op, name, d)
	if err != nil {
		return nil, content{}, err
	}
	stat, err := f.Stat()
	if err == nil && stat.Size() != want.size {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = f.Close()
		return nil, content{}, s.failed(op, err)
	}
	return f, want, nil
}

// verify compares the bytes of the open blob f with its digest d, and removes it
// when it is another file, so that it is fetched again.
func (s *Store) verify(d digest.Digest, f io.ReadSeeker) error {
	verifier := d.Verifier()
	// More than the limit is never written here, and would take long to read.
	if _, err := io.CopyBuffer(verifier, io.LimitReader(f, s.maxBytes+1), make([]byte, bufferSize)); err != nil {
		return s.failed("read blob "+d.String(), err)
	}
	if !verifier.Verified() {
		return fault.Retry(v1alpha1.StoreFailedReason, errors.Join(
			fmt.Errorf("blob %s: %w: it is fetched again", d, errDamaged), s.Remove(d)))
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return s.failed("read blob "+d.String(), err)
	}
	return nil
}
