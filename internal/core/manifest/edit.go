package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Edit returns the JSON of an object after edit changed it, in the form that Objects
// describes, and the entry about it; the offset stays that of before. If edit reports
// that it changed nothing, so do they. What identifies an object, and the facts of a
// CustomResourceDefinition, must stay as they are. The JSON must be that of the entry.
//
// The errors are those of edit, and LimitExceeded for an object that became too large.
func (e Entry) Edit(
	object []byte, maxBytes int64, edit func(tree map[string]any) (changed bool, err error),
) ([]byte, Entry, error) {
	decoder := json.NewDecoder(bytes.NewReader(object))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, Entry{}, fmt.Errorf("%s: %w", e.Ref, err)
	}
	changed, err := edit(tree)
	if err != nil || !changed {
		return object, e, err
	}
	encoder := encoder{limit: maxBytes}
	at, err := encoder.object(tree)
	if errors.Is(err, errTooLarge) {
		return nil, Entry{}, fault.Stallf(v1alpha1.LimitExceededReason,
			"%s: the edited object is larger than %d bytes as JSON", e.Ref, maxBytes)
	}
	if err != nil {
		return nil, Entry{}, fmt.Errorf("%s: %w", e.Ref, err)
	}
	sum := sha256.Sum256(encoder.json)
	e.SHA256, e.Length = hex.EncodeToString(sum[:]), int64(len(encoder.json))
	e.LabelsAt, e.AnnotationsAt = at.labels, at.annotations
	e.Images = imagesOf(e.Ref, tree)
	return encoder.json, e, nil
}

// MemoryToEdit returns how many bytes of memory an object of these limits takes while it
// is edited, given its JSON.
func (l Limits) MemoryToEdit(object []byte) int64 {
	nodes := 1 // no value is without one of these before it, but the first
	for _, c := range object {
		switch c {
		case ',', ':', '{', '[':
			nodes++
		}
	}
	return min(memory(int64(len(object)), nodes), l.Memory())
}
