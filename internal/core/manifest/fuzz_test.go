package manifest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzObjects checks that no input makes Objects panic, that the form of every
// object is right, and that the JSON reads back as the same objects.
func FuzzObjects(f *testing.F) {
	f.Add([]byte(document("a") + "---\n" + document("b")))
	f.Add([]byte("[" + minimal("a") + "]\n" + minimal("b")))
	f.Add([]byte("kind: List\nitems:\n- " + minimal("a") + "\n...\n%YAML 1.1\n---\n"))
	f.Add([]byte("a: &b {c: 1e9, <<: {d: 0x1f}}\ne: *b\nkind: X\napiVersion: v1\nmetadata: {name: a, labels: {b: c}}\n"))
	limits := Limits{Object: 4096, Objects: 20, Nesting: 10, Nodes: 1000}
	f.Fuzz(func(t *testing.T, text []byte) {
		index, stored := buildValid(t, text, limits)
		again, err := Build(io.Discard, Objects(strings.NewReader(stored), "a.yaml", limits))
		if err != nil {
			t.Fatalf("%v in %s", err, stored)
		}
		if len(again.Entries) != len(index.Entries) {
			t.Fatalf("%d objects, want %d", len(again.Entries), len(index.Entries))
		}
		for i, want := range index.Entries {
			got := again.Entries[i]
			if got.Ref != want.Ref || got.SHA256 != want.SHA256 || got.LabelsAt != want.LabelsAt || got.AnnotationsAt != want.AnnotationsAt {
				t.Errorf("entry %d: %s", i, cmp.Diff(want, got))
			}
		}
	})
}

// buildValid returns the objects of a text that come before its first error,
// each on a line of its own.
func buildValid(t *testing.T, text []byte, limits Limits) (Index, string) {
	t.Helper()
	var stored, lines bytes.Buffer
	index, _ := Build(&stored, func(yield func(Object, error) bool) {
		for object, err := range Objects(bytes.NewReader(text), "a.yaml", limits) {
			if err != nil {
				return
			}
			checkForm(t, object)
			lines.Write(object.JSON)
			lines.WriteByte('\n')
			if !yield(object, nil) {
				return
			}
		}
	})
	return index, lines.String()
}
