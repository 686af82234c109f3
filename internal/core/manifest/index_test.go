package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const indexed = `apiVersion: v1
kind: Namespace
metadata: {name: a}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, namespace: a, labels: {c: d}}
spec: {template: {spec: {containers: [{image: b:1}, {image: a:1}]}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true}]
`

func TestBuildWritesObjectsBackToBack(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	index, err := Build(&file, Objects(strings.NewReader(indexed), "a.yaml", DefaultLimits()))
	if err != nil {
		t.Fatal(err)
	}
	if len(index.Entries) != 3 || index.Bytes != int64(file.Len()) {
		t.Fatalf("%d entries, %d bytes of %d", len(index.Entries), index.Bytes, file.Len())
	}
	var end int64
	for i, object := range entries(t, indexed) {
		entry := index.Entries[i]
		stored := file.Bytes()[entry.Offset : entry.Offset+entry.Length]
		if entry.Offset != end || !bytes.Equal(stored, object.JSON) {
			t.Errorf("%s at %d: %s", entry.Ref, entry.Offset, stored)
		}
		end += entry.Length
		want := Entry{
			Ref: object.Ref, Place: object.Place, Offset: entry.Offset, Length: int64(len(object.JSON)),
			LabelsAt: object.LabelsAt, AnnotationsAt: object.AnnotationsAt, SHA256: fmt.Sprintf("%x", sha256.Sum256(object.JSON)),
			CRD: object.CRD, Images: object.Images,
		}
		if diff := cmp.Diff(want, entry); diff != "" {
			t.Errorf("entry (-want +got):\n%s", diff)
		}
	}
	if index.Entries[1].Images == nil || index.Entries[2].CRD == nil {
		t.Errorf("facts are missing: %+v", index.Entries)
	}
}

// entries returns the objects of a text, which can be kept.
func entries(t *testing.T, text string) []Object {
	t.Helper()
	var objects []Object
	for object, err := range Objects(strings.NewReader(text), "a.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		object.JSON = bytes.Clone(object.JSON)
		objects = append(objects, object)
	}
	return objects
}

func TestIndexIsTheSameAfterJSON(t *testing.T) {
	t.Parallel()
	want, err := Build(&bytes.Buffer{}, Objects(strings.NewReader(indexed), "a.yaml", DefaultLimits()))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Index
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
}

func TestBuildKeepsWarningsWithTheirPlaces(t *testing.T) {
	t.Parallel()
	objects := func(yield func(Object, error) bool) {
		for document := range 3 {
			yield(Object{
				Ref: Ref{Version: "v1", Kind: "Pod", Name: "a"}, Place: Place{Source: "a.yaml", Document: document + 1, Line: 1},
				Warnings: slices.Repeat([]string{"spec: odd"}, document*60),
			}, nil)
		}
	}
	index, err := Build(&bytes.Buffer{}, objects)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(
		slices.Repeat([]string{"a.yaml, document 2 (line 1): Pod a: spec: odd"}, 60),
		slices.Repeat([]string{"a.yaml, document 3 (line 1): Pod a: spec: odd"}, 40),
	)
	if diff := cmp.Diff(want, index.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBuildReturnsTheErrorOfTheSequence(t *testing.T) {
	t.Parallel()
	index, err := Build(&bytes.Buffer{}, Objects(strings.NewReader(indexed+"---\nkind: X\n"), "a.yaml", DefaultLimits()))
	if err == nil || fault.ClassOf(err) != fault.ClassStall || !strings.Contains(err.Error(), "document 4") {
		t.Errorf("error = %v", err)
	}
	if diff := cmp.Diff(Index{}, index); diff != "" {
		t.Errorf("index (-want +got):\n%s", diff)
	}
}

// full is a writer without room.
type full struct{ err error }

// Write implements io.Writer.
func (f full) Write([]byte) (int, error) { return 0, f.err }

func TestBuildReturnsTheErrorOfTheWriter(t *testing.T) {
	t.Parallel()
	cause := errors.New("no space left")
	_, err := Build(full{cause}, Objects(strings.NewReader(indexed), "a.yaml", DefaultLimits()))
	if !errors.Is(err, cause) || fault.ClassOf(err) != fault.ClassRetry || !strings.Contains(err.Error(), "Namespace a") {
		t.Errorf("error = %v", err)
	}
}

func TestMarked(t *testing.T) {
	t.Parallel()
	label, annotation := Mark{partOfLabel, "applyset-x-v1"}, Mark{sha256Annotation, "abc"}
	tests := map[string]struct {
		given                       string
		givenLabel, givenAnnotation Mark
		want                        string
	}{
		"neither labels nor annotations": {
			`{name: a}`, label, annotation,
			`"labels":{"applyset.kubernetes.io/part-of":"applyset-x-v1"},` +
				`"annotations":{"addons.cluster.x-k8s.io/sha256":"abc"},"name":"a"`,
		},
		"some of each": {
			`{name: a, labels: {x: z}, annotations: {u: v}}`, Mark{"a", "b"}, Mark{"c", "d"},
			`"labels":{"a":"b","x":"z"},"annotations":{"c":"d","u":"v"},"name":"a"`,
		},
		"text to be escaped": {
			`{name: a}`, Mark{`a"\`, "b\n"}, Mark{"c", ""}, `"labels":{"a\"\\":"b\n"},"annotations":{"c":""},"name":"a"`,
		},
		"no label":      {`{name: a}`, Mark{}, Mark{"c", "d"}, `"labels":{},"annotations":{"c":"d"},"name":"a"`},
		"no annotation": {`{name: a}`, Mark{"a", "b"}, Mark{}, `"labels":{"a":"b"},"annotations":{},"name":"a"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var content bytes.Buffer
			stream := strings.NewReader("apiVersion: v1\nkind: X\nmetadata: " + test.given + "\n")
			index, err := Build(&content, Objects(stream, "a.yaml", DefaultLimits()))
			if err != nil {
				t.Fatal(err)
			}
			given := content.Bytes()
			before := bytes.Clone(given)
			got := Marked(given, index.Entries[0], test.givenLabel, test.givenAnnotation)
			want := `{"apiVersion":"v1","kind":"X","metadata":{` + test.want + `}}`
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
			if !json.Valid(got) {
				t.Errorf("not JSON: %s", got)
			}
			if !bytes.Equal(given, before) {
				t.Error("the given object was changed")
			}
		})
	}
}

func TestRef(t *testing.T) {
	t.Parallel()
	sorted := []Ref{
		{Kind: "A", Namespace: "z", Name: "z"},
		{Kind: "B", Name: "b"},
		{Kind: "B", Namespace: "a", Name: "b", Version: "v1"},
		{Kind: "B", Namespace: "a", Name: "b", Version: "v2"},
		{Kind: "B", Namespace: "a", Name: "c"},
		{Kind: "B", Namespace: "b", Name: "a"},
		{Group: "a", Kind: "A", Name: "a"},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got := a.Compare(b); got != compareInts(i, j) {
				t.Errorf("compare of %v and %v = %d", a, b, got)
			}
		}
	}
	if got := sorted[1].String(); got != "B b" {
		t.Errorf("string = %s", got)
	}
	if got := sorted[2].String(); got != "B a/b" {
		t.Errorf("string = %s", got)
	}
	if got := sorted[6].GroupKind().String(); got != "A.a" {
		t.Errorf("group and kind = %s", got)
	}
}

func compareInts(a, b int) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func TestPlace(t *testing.T) {
	t.Parallel()
	document := Place{Source: "crds.yaml", Document: 17, Line: 1204}
	if got := document.String(); got != "crds.yaml, document 17 (line 1204)" {
		t.Errorf("string = %s", got)
	}
	item := document
	item.Item = 3
	if got := item.String(); got != "crds.yaml, document 17, item 3 (line 1204)" {
		t.Errorf("string = %s", got)
	}
	same := item
	if document.Compare(item) != -1 || item.Compare(document) != 1 || item.Compare(same) != 0 {
		t.Error("places are not ordered by item")
	}
}
