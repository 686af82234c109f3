package library

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
)

// maxNames bounds the names of images and of versions in the indices of a release, in
// bytes: they are in memory. 10,000 objects with three images each have 2 MiB.
const maxNames = 8 << 20

// nameBytes returns how many bytes names of an object take in an index.
func nameBytes(images []string, crd *manifest.CRD) int64 {
	names := images
	if crd != nil {
		names = slices.Concat(images, crd.Served, crd.Versions, crd.ShortNames)
	}
	var size int64
	for _, name := range names {
		size += int64(len(name) + 16)
	}
	return size
}

// derive makes the object file and the index of a stored part.
func (x *indexing) derive(ctx context.Context, part source.Part) error {
	file, err := x.store.Open(part.Digest)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	var index partIndex
	err = x.store.Derive(ctx, kindOf(objectsKind, part), part.Digest, func(w io.Writer) error {
		reading := &reading{indexing: x, ctx: ctx, part: part, limits: x.settings.Load().Limits}
		index.Index, err = manifest.Build(w, reading.objects(file))
		index.Unpacked = reading.unpacked
		return err
	})
	if err != nil {
		return err
	}
	index.rename(part.Name, "")
	return x.store.Derive(ctx, kindOf(indexKind, part), part.Digest, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(index)
	})
}

// reading reads the objects of a part and counts what their index is to hold.
type reading struct {
	*indexing

	ctx  context.Context //nolint:containedctx // that of one call of derive
	part source.Part
	// limits that hold for the whole of it.
	limits manifest.Limits

	unpacked, names int64
	count           int
}

// objects iterates over the objects of all files.
func (r *reading) objects(packed io.ReadSeeker) iter.Seq2[manifest.Object, error] {
	return func(yield func(manifest.Object, error) bool) {
		for file, err := range r.files(r.ctx, packed, r.part) {
			if err != nil {
				yield(manifest.Object{}, fault.Wrap(r.part.Name, err))
				return
			}
			from := io.TeeReader(file.Reader, r)
			for object, err := range manifest.AdmittedObjects(from, placeOf(r.part, file), r.limits, r.admit) {
				if err == nil {
					err = r.add(object)
				}
				if !yield(object, err) || err != nil {
					return
				}
			}
		}
	}
}

// admit waits until there is memory for a document beside those of other parts.
func (r *reading) admit(bytes int64) (release func(), err error) {
	if err := r.memory.Acquire(r.ctx, bytes); err != nil {
		return nil, context.Cause(r.ctx)
	}
	return func() { r.memory.Release(bytes) }, nil
}

// Write counts the bytes that objects are read from.
func (r *reading) Write(p []byte) (int, error) {
	r.unpacked += int64(len(p))
	return len(p), nil
}

// add counts an object. The error is LimitExceeded.
func (r *reading) add(object manifest.Object) error {
	r.count++
	r.names += nameBytes(object.Images, object.CRD)
	switch {
	case r.count > r.limits.Objects:
		return fault.Stallf(v1alpha1.LimitExceededReason, "%s: more than %d objects", object.Place, r.limits.Objects)
	case r.names > maxNames:
		return fault.Stallf(v1alpha1.LimitExceededReason, "%s: more than %d bytes of names of images and versions",
			object.Place, maxNames)
	}
	return nil
}

// scratch returns a file that archives are unpacked into. It is gone once it is
// closed.
func (x *indexing) scratch() (archive.Scratch, error) { return x.store.Scratch() }

// placeOf names a file of a part for messages.
func placeOf(part source.Part, file archive.File) string {
	if file.Name == "" {
		return part.Name
	}
	return part.Name + ":" + file.Name
}
