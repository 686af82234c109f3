package library

import (
	"encoding/json"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// The kinds of files that are derived from a part, with the version of their
// format. The index is written last: if it is there, so are the objects.
const (
	objectsKind = "objects-v7"
	indexKind   = "index-v7"
)

// kindOf returns the kind of a file that is derived from the bytes of a part: one
// for each way to read them.
func kindOf(derived string, part source.Part) string {
	if variant := part.Variant(); variant != "" {
		return derived + "-" + variant
	}
	return derived
}

// readIndex reads the index of a part, if this process made it: what another one left
// on the disk is made again.
func (x *indexing) readIndex(part source.Part) (manifest.Index, error) {
	text, err := x.store.ReadDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	objects, err := x.store.OpenDerived(kindOf(objectsKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	defer objects.Close() //nolint:errcheck // only read
	var index manifest.Index
	if err := json.Unmarshal(text, &index); err != nil {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", part.Name, err)
	}
	return index, nil
}

// indexed reports whether the index of a part is on disk, and so its objects.
func (x *indexing) indexed(part source.Part) bool {
	file, err := x.store.OpenDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
