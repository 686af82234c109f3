package store

import (
	"context"
	"errors"
	"io"
	"math"
	"syscall"

	"github.com/opencontainers/go-digest"
)

// askEvery is after how many bytes of a file in the making room is made for them: so
// many are over the limit at most, for each file that is written at the same time.
const askEvery = 4 << 20

// limitOf returns the limit of the cache in bytes, of a volume with that size: what was
// asked for, and at most four fifths of the volume, so that what else is on it does not
// fill it. A size that is not known is zero.
func limitOf(asked, volume int64) int64 {
	limits := []int64{math.MaxInt64, asked, volume / 5 * 4}
	limit := limits[0]
	for _, l := range limits[1:] {
		if l > 0 {
			limit = min(limit, l)
		}
	}
	return limit
}

// volumeSize returns the size of the file system of a directory in bytes, zero if it
// does not say so.
func volumeSize(dir string) (int64, error) {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	block := max(int64(stat.Bsize), 1) //nolint:unconvert // it is another type on other systems
	if stat.Blocks > uint64(math.MaxInt64/block) {
		return 0, nil
	}
	return int64(stat.Blocks) * block, nil //nolint:gosec // checked above
}

// growing asks for room for what it has written.
type growing struct {
	w     io.Writer
	every int64
	ask   func() error

	unasked int64
}

func (g *growing) Write(p []byte) (int, error) {
	n, err := g.w.Write(p)
	g.unasked += int64(n)
	if err == nil && g.unasked >= g.every {
		g.unasked = 0
		err = g.ask()
	}
	return n, err
}

func (s *Store) growing(w io.Writer, g growth) *growing {
	return &growing{w: w, every: s.askEvery, ask: func() error { return s.askRoom(g) }}
}

// maxShort is of how many digests it is known that they did not fit in.
const maxShort = 1024

// fits returns an error while a blob that did not fit in before still does not: it is
// not downloaded to be dropped again.
func (s *Store) fits(ctx context.Context, d digest.Digest) error {
	size, ok := s.short.Get(d)
	if !ok {
		return nil
	}
	if err := s.askRoom(growth{
		op: "write blob " + d.String(), digest: d, namespace: namespaceOf(ctx), ahead: s.onDisk(size.(int64)),
	}); err != nil {
		return err
	}
	s.short.Remove(d)
	return nil
}

// noteShort notes how large a blob is at least that did not fit in.
func (s *Store) noteShort(d digest.Digest, size int64, err error) {
	if errors.Is(err, errNoRoom) {
		s.short.Add(d, size)
	}
}
