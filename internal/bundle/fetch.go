package bundle

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// fetch brings a source onto the disk, verified and indexed.
func (l *Library) fetch(src v1alpha1.Source) error {
	d := digestOf(src)
	defer l.turn(d)()
	if err := l.slots.Acquire(l.ctx, 1); err != nil {
		return err
	}
	defer l.slots.Release(1)
	if _, err := l.readIndex(d); err == nil {
		return nil
	}
	if _, ok := l.Store.Has(d); !ok {
		if err := l.commit(l.ctx, d, src); err != nil {
			return err
		}
	}
	return l.derive(d, source.Name(src))
}

// turn waits until no other job is at work on the digest, and returns what ends
// the turn. The same bytes may be published at several places: they are still
// downloaded once, unless the first place fails.
func (l *Library) turn(d digest.Digest) (end func()) {
	l.mu.Lock()
	t, ok := l.turns[d]
	if !ok {
		t = &turn{}
		l.turns[d] = t
	}
	t.jobs++
	l.mu.Unlock()
	t.Lock()
	return func() {
		t.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if t.jobs--; t.jobs == 0 {
			delete(l.turns, d)
		}
	}
}

// turn is held by one job of a digest at a time.
type turn struct {
	sync.Mutex
	// jobs have or await the turn. Guarded by the Library's mutex.
	jobs int
}

// commit stores the bytes of a source under its digest. Its errors name the
// source: those of Open do so themselves.
func (l *Library) commit(ctx context.Context, d digest.Digest, src v1alpha1.Source) error {
	body, err := l.Sources.Open(ctx, src)
	if err != nil {
		return err
	}
	_, err = l.Store.Commit(ctx, d, body, l.MaxBytes)
	if closing := body.Close(); err == nil {
		err = closing
	}
	return fault.Wrap(source.Describe(src), err)
}

// derive makes the object file and the index of a stored source.
func (l *Library) derive(d digest.Digest, name string) error {
	file, err := l.Store.Open(d)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	if err := l.verify(d, file); err != nil {
		return err
	}
	var index manifest.Index
	err = l.Store.Derive(objectsKind, d, func(w io.Writer) error {
		index, err = manifest.Build(w, manifest.Objects(file, name, l.Limits))
		return err
	})
	if err != nil {
		return err
	}
	return l.Store.Derive(indexKind, d, func(w io.Writer) error { return json.NewEncoder(w).Encode(index) })
}

// verify reads a stored source once more before it is decoded: it may have lain
// on the disk for long. One that is damaged is removed, so that it is fetched anew.
func (l *Library) verify(d digest.Digest, file io.ReadSeeker) error {
	verifier := d.Verifier()
	if _, err := io.Copy(verifier, file); err != nil {
		return fault.Failed(v1alpha1.StoreFailedReason, fmt.Errorf("blob %s: %w", d, err))
	}
	if !verifier.Verified() {
		return fault.Failed(v1alpha1.StoreFailedReason, errors.Join(
			fmt.Errorf("blob %s: the cache directory is damaged: it is fetched again", d), l.Store.Remove(d)))
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}

// readIndex reads the index of a source from disk. One that does not describe
// the object file beside it is an error: both are made anew.
func (l *Library) readIndex(d digest.Digest) (manifest.Index, error) {
	file, err := l.Store.OpenDerived(indexKind, d)
	if err != nil {
		return manifest.Index{}, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	var index manifest.Index
	if err := json.NewDecoder(bufio.NewReader(file)).Decode(&index); err != nil {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", d, err)
	}
	objects, err := l.Store.OpenDerived(objectsKind, d)
	if err != nil {
		return manifest.Index{}, err
	}
	defer objects.Close() //nolint:errcheck // nothing is written
	if stat, err := objects.Stat(); err != nil || !covers(index, stat.Size()) {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", d, cmp.Or(err, errDamaged))
	}
	return index, nil
}

// covers tells whether the entries lie back to back in a file of that size, as
// manifest.Build puts them: no length read from disk is believed without it.
func covers(index manifest.Index, size int64) bool {
	at := int64(0)
	for _, entry := range index.Entries {
		if entry.Offset != at || entry.Length <= 0 || entry.Length > size-at {
			return false
		}
		at += entry.Length
	}
	return at == size
}

// indexed tells whether the index of a source is on disk, and so its objects.
func (l *Library) indexed(d digest.Digest) bool {
	file, err := l.Store.OpenDerived(indexKind, d)
	if err != nil {
		return false
	}
	return file.Close() == nil
}

func digestOf(src v1alpha1.Source) digest.Digest { return digest.Digest(release.SourceDigest(src)) }
