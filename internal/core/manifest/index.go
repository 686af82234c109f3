package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
)

// Index lists the objects of a file that Build wrote, in the order of the file.
// It can be kept as JSON.
type Index struct {
	// Entries are the objects.
	Entries []Entry `json:"entries"`
	// Bytes is the length of the file.
	Bytes int64 `json:"bytes"`
	// Warnings are what should be looked at in the objects, with their places: at
	// most 100, in the order of the objects. Behind that many nothing is looked for.
	Warnings []string `json:"warnings,omitempty"`
}

// maxWarnings bounds the warnings of an index.
const maxWarnings = 100

// warn adds what should be looked at in an object.
func (x *Index) warn(object Object) {
	for _, warning := range object.Warnings[:min(len(object.Warnings), maxWarnings-len(x.Warnings))] {
		x.Warnings = append(x.Warnings, fmt.Sprintf("%s: %s: %s", object.Place, object.Ref, warning))
	}
}

// Entry describes an object, so that it need not be read.
type Entry struct {
	Ref
	// Place is where the object was in its source.
	Place Place `json:"place"`
	// Edited is whether its JSON is in a file of edited objects, and not in that of Build.
	Edited bool `json:"edited,omitempty"`
	// Offset is where its JSON begins in the file, in bytes.
	Offset int64 `json:"offset"`
	// Length is the length of its JSON in bytes.
	Length int64 `json:"length"`
	// LabelsAt and AnnotationsAt are the offsets in its JSON just behind
	// `"labels":{` and `"annotations":{`; see Marked.
	LabelsAt      int `json:"labelsAt"`
	AnnotationsAt int `json:"annotationsAt"`
	// SHA256 is the sum of its JSON in hexadecimal digits.
	SHA256 string `json:"sha256"`
	// CRD holds the facts of a CustomResourceDefinition and is nil for others.
	CRD *CRD `json:"crd,omitempty"`
	// Images are the container images that a workload names, sorted and unique.
	Images []string `json:"images,omitempty"`
	// Hook is when a hook of a chart is applied, and nil for others.
	Hook *Hook `json:"hook,omitempty"`
}

// Build copies the JSON of each object to w, back to back, and returns the
// index. It stops at the first error of the sequence, which it returns as it
// is, or of w. What was written until then is of no use.
func Build(w io.Writer, objects iter.Seq2[Object, error]) (Index, error) {
	var index Index
	for object, err := range objects {
		if err != nil {
			return Index{}, err
		}
		if _, err := w.Write(object.JSON); err != nil {
			return Index{}, fmt.Errorf("write %s: %w", object.Ref, err)
		}
		entry := object.Entry()
		entry.Offset = index.Bytes
		index.Entries = append(index.Entries, entry)
		index.Bytes += entry.Length
		index.warn(object)
	}
	return index, nil
}

// Entry returns the entry of an object that is alone in its file.
func (o Object) Entry() Entry {
	sum := sha256.Sum256(o.JSON)
	return Entry{
		Ref: o.Ref, Place: o.Place, Length: int64(len(o.JSON)), LabelsAt: o.LabelsAt, AnnotationsAt: o.AnnotationsAt,
		SHA256: hex.EncodeToString(sum[:]), CRD: o.CRD, Images: o.Images, Hook: o.Hook,
	}
}
