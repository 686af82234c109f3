package library

import (
	"encoding/json"
	"io"
	"iter"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
)

// derive makes the object file and the index of a stored part.
func (x *indexing) derive(part source.Part) error {
	file, err := x.store.Open(part.Digest)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	var index manifest.Index
	err = x.store.Derive(kindOf(objectsKind, part), part.Digest, func(w io.Writer) error {
		index, err = manifest.Build(w, x.objects(file, part))
		return err
	})
	if err != nil {
		return err
	}
	return x.store.Derive(kindOf(indexKind, part), part.Digest, func(w io.Writer) error {
		return json.NewEncoder(w).Encode(index)
	})
}

// objects iterates over the objects of all files of a part.
func (x *indexing) objects(packed io.ReadSeeker, part source.Part) iter.Seq2[manifest.Object, error] {
	return func(yield func(manifest.Object, error) bool) {
		count := 0
		for file, err := range x.files(packed, part) {
			if err != nil {
				yield(manifest.Object{}, fault.Wrap(part.Name, err))
				return
			}
			for object, err := range manifest.Objects(file.Reader, placeOf(part, file), x.limits) {
				if count++; err == nil && count > x.limits.Objects {
					err = fault.Stallf(v1alpha1.LimitExceededReason,
						"%s: more than %d objects", object.Place, x.limits.Objects)
				}
				if !yield(object, err) || err != nil {
					return
				}
			}
		}
	}
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
