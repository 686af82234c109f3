package library

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// The kinds of files that are derived from a part, with the version of their
// format. The index is written last: if it is there, so are the objects.
const (
	objectsKind = "objects-v7"
	indexKind   = "index-v8"
)

// kindOf returns the kind of a file that is derived from the bytes of a part: one
// for each way to read them.
func kindOf(derived string, part source.Part) string {
	if variant := part.Variant(); variant != "" {
		return derived + "-" + variant
	}
	return derived
}

// partIndex is the index of a part.
type partIndex struct {
	manifest.Index
	// Unpacked is how many bytes its objects were read from.
	Unpacked int64 `json:"unpacked"`
}

// rename replaces the name of the part that begins all places and warnings. On the disk
// there is none: the same bytes may be another team's, whose name of them is nobody
// else's business.
func (x partIndex) rename(from, to string) {
	for i := range x.Entries {
		place := &x.Entries[i].Place
		place.Source = to + strings.TrimPrefix(place.Source, from)
	}
	for i, warning := range x.Warnings {
		x.Warnings[i] = to + strings.TrimPrefix(warning, from)
	}
}

// names returns how many bytes the names in the entries of an index take that an object
// may have any number of.
func (x partIndex) names() int64 {
	var size int64
	for _, entry := range x.Entries {
		size += nameBytes(entry.Images, entry.CRD)
	}
	return size
}

// readIndex reads the index of a part, if this process made it: what another one left
// on the disk is made again.
func (x *indexing) readIndex(part source.Part) (partIndex, error) {
	return x.readFiles(part.Name, kindOf(indexKind, part), kindOf(objectsKind, part), part.Digest)
}

// readFiles reads an index if the objects that it is of are there. name is that of their
// part.
func (x *indexing) readFiles(name, indexKind, objectsKind string, d digest.Digest) (partIndex, error) {
	text, err := x.store.ReadDerived(indexKind, d)
	if err != nil {
		return partIndex{}, err
	}
	objects, err := x.store.OpenDerived(objectsKind, d)
	if err != nil {
		return partIndex{}, err
	}
	defer objects.Close() //nolint:errcheck // only read
	var index partIndex
	if err := json.Unmarshal(text, &index); err != nil {
		return partIndex{}, fmt.Errorf("index of %s: %w", name, err)
	}
	index.rename("", name)
	return index, nil
}

// indexed reports whether the index of a part is on disk, and so its objects.
func (x *indexing) indexed(part source.Part) bool {
	return x.isDerived(kindOf(indexKind, part), part.Digest)
}

// isDerived reports whether a derived file is on disk.
func (x *indexing) isDerived(kind string, d digest.Digest) bool {
	file, err := x.store.OpenDerived(kind, d)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
