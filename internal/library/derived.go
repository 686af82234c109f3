package library

import (
	"bufio"
	"cmp"
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

// readIndex reads the index of a part from disk. An index that does not describe
// the object file beside it is an error: both are then made again.
func (x *indexing) readIndex(part source.Part) (manifest.Index, error) {
	file, err := x.store.OpenDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	defer file.Close() //nolint:errcheck // only read
	var index manifest.Index
	if err := json.NewDecoder(bufio.NewReader(file)).Decode(&index); err != nil {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", part.Name, err)
	}
	objects, err := x.store.OpenDerived(kindOf(objectsKind, part), part.Digest)
	if err != nil {
		return manifest.Index{}, err
	}
	defer objects.Close() //nolint:errcheck // only read
	if stat, err := objects.Stat(); err != nil || !covers(index, stat.Size()) {
		return manifest.Index{}, fmt.Errorf("index of %s: %w", part.Name, cmp.Or(err, errDamaged))
	}
	return index, nil
}

// covers reports whether the entries lie back to back in a file of that size, as
// manifest.Build writes them: no length that is read from disk is used without it.
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

// indexed reports whether the index of a part is on disk, and so its objects.
func (x *indexing) indexed(part source.Part) bool {
	file, err := x.store.OpenDerived(kindOf(indexKind, part), part.Digest)
	if err != nil {
		return false
	}
	return file.Close() == nil
}
