package library

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// fetch brings a part onto the disk, verified and indexed. The digest stays
// locked until then: the same bytes may be published at several places, and are
// still downloaded and indexed once, unless the first place fails. No slot is
// held while another job works on the digest.
func (l *Library) fetch(part source.Part) error {
	lock, err := l.Store.LockDigest(l.ctx, part.Digest)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	defer l.Store.Pin(part.Digest)()
	if err := l.slots.Acquire(l.ctx, 1); err != nil {
		return err
	}
	defer l.slots.Release(1)
	if _, err := l.readIndex(part); err == nil {
		return nil
	}
	if _, ok := l.Store.Has(part.Digest); !ok {
		if err := l.download(lock, part); err != nil {
			return err
		}
	}
	return l.derive(part)
}

// download stores the bytes of a part under its digest. Its errors name where the
// bytes come from, as those of Fetch do themselves.
func (l *Library) download(lock *store.Lock, part source.Part) error {
	var refused error
	open := func(ctx context.Context, have store.Partial) (body store.Body, err error) {
		body, refused = part.Fetch(ctx, have)
		return body, refused
	}
	_, err := lock.Resume(l.ctx, open, l.MaxBytes)
	if refused != nil && errors.Is(err, refused) {
		return err
	}
	return fault.Wrap(part.From, err)
}

// derive makes the object file and the index of a stored part.
func (l *Library) derive(part source.Part) error {
	file, err := l.Store.Open(part.Digest)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	if err := l.verify(part.Digest, file); err != nil {
		return err
	}
	var index manifest.Index
	err = l.Store.Derive(kindOf(objectsKind, part), part.Digest, func(w io.Writer) error {
		index, err = manifest.Build(w, l.objects(file, part))
		return err
	})
	if err != nil {
		return err
	}
	return l.Store.Derive(kindOf(indexKind, part), part.Digest, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(index)
	})
}

// objects goes through the objects of all files of a part.
func (l *Library) objects(packed io.Reader, part source.Part) iter.Seq2[manifest.Object, error] {
	return func(yield func(manifest.Object, error) bool) {
		count := 0
		for file, err := range archive.Files(packed, part.Format, part.Files, l.Archives, l.scratch) {
			if err != nil {
				yield(manifest.Object{}, fault.Wrap(part.Name, err))
				return
			}
			for object, err := range manifest.Objects(file.Reader, placeOf(part, file), l.Limits) {
				if count++; err == nil && count > l.Limits.Objects {
					err = fault.Stallf(v1alpha1.LimitExceededReason,
						"%s: more than %d objects", object.Place, l.Limits.Objects)
				}
				if !yield(object, err) || err != nil {
					return
				}
			}
		}
	}
}

// scratch is a file that archives are unpacked into: it is gone when it is closed.
func (l *Library) scratch() (archive.Scratch, error) { return l.Store.Scratch() }

// kindOf returns the kind of a file that is derived from the part's bytes: one
// for each way to read them.
func kindOf(derived string, part source.Part) string {
	if variant := part.Variant(); variant != "" {
		return derived + "-" + variant
	}
	return derived
}

// placeOf names a file of a part for messages.
func placeOf(part source.Part, file archive.File) string {
	if file.Name == "" {
		return part.Name
	}
	return part.Name + ":" + file.Name
}

// verify reads a stored source once more before it is decoded: it may have lain
// on the disk for long. One that is damaged is removed, so that it is fetched anew.
func (l *Library) verify(d digest.Digest, file io.ReadSeeker) error {
	verifier := d.Verifier()
	if _, err := io.Copy(verifier, file); err != nil {
		return fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("blob %s: %w", d, err))
	}
	if !verifier.Verified() {
		return fault.Retry(v1alpha1.StoreFailedReason, errors.Join(
			fmt.Errorf("blob %s: the cache directory is damaged: it is fetched again", d), l.Store.Remove(d)))
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}

// readIndex reads the index of a part from disk. One that does not describe
// the object file beside it is an error: both are made anew.
func (l *Library) readIndex(part source.Part) (manifest.Index, error) {
	file, err := l.Store.OpenDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	defer file.Close() //nolint:errcheck // nothing is written
	var index manifest.Index
	if err := json.NewDecoder(bufio.NewReader(file)).Decode(&index); err != nil {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", part.Name, err)
	}
	objects, err := l.Store.OpenDerived(kindOf(objectsKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	defer objects.Close() //nolint:errcheck // nothing is written
	if stat, err := objects.Stat(); err != nil || !covers(index, stat.Size()) {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", part.Name, cmp.Or(err, errDamaged))
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

// indexed tells whether the index of a part is on disk, and so its objects.
func (l *Library) indexed(part source.Part) bool {
	file, err := l.Store.OpenDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
