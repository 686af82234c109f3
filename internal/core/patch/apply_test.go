package patch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// indexed returns the only object of a manifest as it is indexed.
func indexed(t *testing.T, text string) (manifest.Entry, []byte) {
	t.Helper()
	for object, err := range manifest.Objects(strings.NewReader(text), "test.yaml", manifest.DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		return object.Entry(), bytes.Clone(object.JSON)
	}
	t.Fatal("no object")
	return manifest.Entry{}, nil
}

const installation = `
apiVersion: operator.tigera.io/v1
kind: Installation
metadata: {name: default, annotations: {a/b: "1"}}
spec:
  calicoNetwork: {ipPools: [{cidr: 192.168.0.0/16, size: 12345678901234567890}]}
`

// patched returns changes of the operations.
func patched(operations ...Operation) Changes {
	return Changes{{Name: "p", Selector: installations, Operations: operations}}
}

func TestAnObjectIsPatchedAndIndexedAnew(t *testing.T) {
	t.Parallel()
	entry, body := indexed(t, installation)
	entry.Offset = 77
	changes := append(
		patched(
			Operation{Op: "replace", Path: "/spec/calicoNetwork/ipPools/0/cidr", Value: json.RawMessage(`"10.1.0.0/16"`)},
			Operation{Op: "add", Path: "/spec/calicoNetwork/ipPools/-", Value: json.RawMessage(`{"cidr":"<&>"}`)},
			Operation{Op: "remove", Path: "/metadata/annotations/a~1b"},
		),
		patched(Operation{Op: "add", Path: "/metadata/labels/site", Value: json.RawMessage(`"edge"`)})...)
	made, bytes, err := changes.Object(entry, body, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	want := `{"apiVersion":"operator.tigera.io/v1","kind":"Installation","metadata":{"labels":{"site":"edge"},"annotations":{},` +
		`"name":"default"},"spec":{"calicoNetwork":{"ipPools":[{"cidr":"10.1.0.0/16","size":12345678901234567890},{"cidr":"<&>"}]}}}`
	if string(bytes) != want {
		t.Errorf("want %s\ngot  %s", want, bytes)
	}
	sum := sha256.Sum256([]byte(want))
	if made.SHA256 != hex.EncodeToString(sum[:]) || made.Length != int64(len(want)) || made.Offset != 77 ||
		made.Ref != entry.Ref || made.Place != entry.Place {
		t.Errorf("want the entry of the patched bytes at its old place, got %+v", made)
	}
	if marked := manifest.Marked(bytes, made, manifest.Mark{Key: "l", Value: "1"}, manifest.Mark{Key: "a", Value: "2"}); !strings.Contains(
		string(marked), `"labels":{"l":"1","site":"edge"},"annotations":{"a":"2"}`) {
		t.Errorf("want marks at their places, got %s", marked)
	}
}

func TestAChangeThatCannotBeAppliedNamesThePatchTheObjectAndThePath(t *testing.T) {
	t.Parallel()
	tiny := manifest.DefaultLimits()
	tiny.Object = 300
	definition := `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
`
	for name, test := range map[string]struct {
		given     string
		operation Operation
		want      string
	}{
		"a path that is missing":     {installation, Operation{Op: "replace", Path: "/spec/missing", Value: json.RawMessage(`"hunter2"`)}, "/spec/missing"},
		"a way that is missing":      {installation, Operation{Op: "add", Path: "/spec/a/b", Value: json.RawMessage(`"hunter2"`)}, "/spec/a/b"},
		"an index from the end":      {installation, Operation{Op: "remove", Path: "/spec/calicoNetwork/ipPools/-1"}, "/spec/calicoNetwork/ipPools/-1"},
		"too large":                  {installation, Operation{Op: "add", Path: "/spec/x", Value: json.RawMessage(`"` + strings.Repeat("hunter2", 40) + `"`)}, "larger than"},
		"no object any more":         {installation, Operation{Op: "add", Path: "", Value: json.RawMessage(`["hunter2"]`)}, ""},
		"another identity":           {installation, Operation{Op: "add", Path: "", Value: json.RawMessage(`{"apiVersion":"v1","kind":"Secret","metadata":{"name":"x"}}`)}, "identity"},
		"another namespace":          {installation, Operation{Op: "add", Path: "/metadata/namespace", Value: json.RawMessage(`"x"`)}, "identity"},
		"another kind of definition": {definition, Operation{Op: "replace", Path: "/spec/names/kind", Value: json.RawMessage(`"Gadget"`)}, "CustomResourceDefinition"},
	} {
		entry, body := indexed(t, test.given)
		limits := manifest.DefaultLimits()
		if name == "too large" {
			limits = tiny
		}
		_, _, err := patched(test.operation).Object(entry, body, limits)
		if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.PatchFailedReason ||
			!strings.HasPrefix(err.Error(), "patch p: "+entry.Ref.String()+": ") || !strings.Contains(err.Error(), test.want) ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want a Stall with %q, got %v", name, test.want, err)
		}
	}
	entry, body := indexed(t, definition)
	description := Operation{Op: "add", Path: "/spec/versions/0/schema/openAPIV3Schema/description", Value: json.RawMessage(`"x"`)}
	if _, _, err := patched(description).Object(entry, body, manifest.DefaultLimits()); err != nil {
		t.Errorf("want a schema patched, got %v", err)
	}
}

func TestTheMarksOfAMemberAreNotTakenFromAPatch(t *testing.T) {
	t.Parallel()
	entry, body := indexed(t, installation)
	made, bytes, err := patched(
		Operation{Op: "add", Path: "/metadata/labels", Value: json.RawMessage(`{"applyset.kubernetes.io/part-of":"x"}`)},
		Operation{Op: "add", Path: "/metadata/annotations", Value: json.RawMessage(`{"addons.cluster.x-k8s.io/sha256":"x","addons.cluster.x-k8s.io/hook":"{}"}`)},
	).Object(entry, body, manifest.DefaultLimits())
	if err != nil || made.Hook != nil || !strings.Contains(string(bytes), `"labels":{},"annotations":{}`) {
		t.Errorf("want none of them, got %s and %v", bytes, err)
	}
}

func TestValuesOfAChartArePatched(t *testing.T) {
	t.Parallel()
	at := v1alpha1.PatchSelector{HelmRelease: "cilium"}
	add := func(path, value string) Change {
		return Change{Name: "p", Selector: at, Operations: []Operation{{Op: "add", Path: path, Value: json.RawMessage(value)}}}
	}
	for name, test := range map[string]struct {
		values string
		given  Changes
		want   string
	}{
		"none":              {`{"b": 1}`, nil, `{"b": 1}`},
		"no values":         {``, Changes{add("/a", "1")}, `{"a":1}`},
		"a key":             {`{"b":1,"a":{"c":12345678901234567890}}`, Changes{add("/a/d", `"x"`)}, `{"a":{"c":12345678901234567890,"d":"x"},"b":1}`},
		"a missing way":     {`{}`, Changes{add("/ipam/operator/pools", `["x"]`)}, `{"ipam":{"operator":{"pools":["x"]}}}`},
		"a way that is off": {`{"ipam":null}`, Changes{add("/ipam/a~1b/c", `1`)}, `{"ipam":{"a/b":{"c":1}}}`},
		"two changes":       {`{}`, Changes{add("/a", "1"), {Name: "q", Selector: at, Operations: []Operation{{Op: "remove", Path: "/a"}}}}, `{}`},
	} {
		got, err := test.given.Values(json.RawMessage(test.values))
		if string(got) != test.want || err != nil {
			t.Errorf("%s: want %s, got %s and %v", name, test.want, got, err)
		}
	}
	for name, given := range map[string]Changes{
		"a way through text": {add("/a/b", "1")},
		"a huge index":       {add("/list/1000000000/b", "1")},
		"another root":       {add("", `[1]`)},
	} {
		_, err := given.Values(json.RawMessage(`{"a":"hunter2","list":[]}`))
		if fault.ReasonOf(err, "") != v1alpha1.PatchFailedReason || !strings.HasPrefix(err.Error(), "patch p: values of cilium: ") ||
			strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: want PatchFailed, got %v", name, err)
		}
	}
}
