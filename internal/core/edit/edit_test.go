package edit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// indexed returns the objects of a text with their index.
func indexed(t *testing.T, text string) ([]byte, []manifest.Entry) {
	t.Helper()
	var file strings.Builder
	index, err := manifest.Build(&file, manifest.Objects(strings.NewReader(text), "a.yaml", manifest.DefaultLimits()))
	if err != nil {
		t.Fatal(err)
	}
	return []byte(file.String()), index.Entries
}

// edited returns the only object of a text after an edit, as YAML, and whether it was
// changed. One that the edit does not touch is not read.
func edited(t *testing.T, e edit.Edit, text string) (string, bool) {
	t.Helper()
	file, entries := indexed(t, text)
	if len(entries) != 1 {
		t.Fatalf("%d objects", len(entries))
	}
	changed := false
	written, entry, err := entries[0].Edit(file, 3<<20, func(tree map[string]any) (bool, error) {
		var err error
		changed, err = e.Object(entries[0].Ref, tree)
		return changed, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if touched := e.Touches(entries[0]); changed && !touched {
		t.Errorf("changes an object that it does not touch: %s", entry.Ref)
	}
	asYAML, err := yaml.JSONToYAML(written)
	if err != nil {
		t.Fatal(err)
	}
	return string(asYAML), changed
}

func newEdit(t *testing.T, edits v1alpha1.Edits, release edit.Definitions) edit.Edit {
	t.Helper()
	e, err := edit.New(edits, release)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// sameYAML compares two texts as YAML.
func sameYAML(t *testing.T, want, got string) {
	t.Helper()
	var wanted, found any
	if err := yaml.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(got), &found); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, found); diff != "" {
		t.Errorf("object (-want +got):\n%s", diff)
	}
}

func from(rules ...string) v1alpha1.Edits {
	var edits v1alpha1.Edits
	for i := 0; i < len(rules); i += 2 {
		edits.ImageRegistries = append(edits.ImageRegistries, v1alpha1.ImageRegistry{From: rules[i], To: rules[i+1]})
	}
	return edits
}

func TestEqualEditsHaveOneDigestAndOthersAnother(t *testing.T) {
	t.Parallel()
	const release v1alpha1.Digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	digestOf := func(edits v1alpha1.Edits) v1alpha1.Digest {
		digest, err := edit.Digest(release, edits)
		if err != nil {
			t.Fatal(err)
		}
		return digest
	}
	a := from("docker.io", "a.example.com", "quay.io", "b.example.com")
	a.Components = []v1alpha1.ComponentChoice{{Name: "x", Enabled: new(true)}, {Name: "y", Enabled: new(false)}}
	shuffled := from("quay.io", "b.example.com", "docker.io", "a.example.com")
	shuffled.Components = []v1alpha1.ComponentChoice{{Name: "y", Enabled: new(false)}, {Name: "x", Enabled: new(true)}}
	shuffled.CRDDescriptions = v1alpha1.KeepCRDDescriptions
	if got := digestOf(a); got != digestOf(shuffled) {
		t.Errorf("the order and what is the default make another digest: %s", got)
	}
	for _, none := range []v1alpha1.Edits{{}, {CRDDescriptions: v1alpha1.KeepCRDDescriptions}, {Components: []v1alpha1.ComponentChoice{}}} {
		if got := digestOf(none); got != release {
			t.Errorf("no edits: %s, want that of the release", got)
		}
	}
	seen := map[v1alpha1.Digest]bool{release: true}
	for _, other := range []v1alpha1.Edits{
		a, from("docker.io", "a.example.com"), from("docker.io", "c.example.com"),
		{CRDDescriptions: v1alpha1.StripCRDDescriptions}, {Components: a.Components[:1]},
		{Components: []v1alpha1.ComponentChoice{{Name: "x", Enabled: new(false)}}},
	} {
		if seen[digestOf(other)] {
			t.Errorf("%+v has the digest of others", other)
		}
		seen[digestOf(other)] = true
	}
}

func TestTheKeyIsOfWhatBecomesOfBytes(t *testing.T) {
	t.Parallel()
	release := edit.Definitions{
		Images: []v1alpha1.ImageLocation{{APIVersion: "x.org/v1", Kind: "Thing", Path: ".spec.image"}},
		Components: []v1alpha1.Component{
			{Name: "x", Objects: []v1alpha1.ComponentObjects{{Kind: "ConfigMap"}}},
		},
	}
	stripped := v1alpha1.Edits{CRDDescriptions: v1alpha1.StripCRDDescriptions}
	withoutX := stripped
	withoutX.Components = []v1alpha1.ComponentChoice{{Name: "x", Enabled: new(false)}}
	if a, b := newEdit(t, stripped, release), newEdit(t, withoutX, release); a.Key() != b.Key() {
		t.Error("a component that is off makes other bytes")
	}
	mirror := newEdit(t, from("docker.io", "a.example.com"), release)
	if other := newEdit(t, from("docker.io", "a.example.com"), edit.Definitions{}); mirror.Key() == other.Key() {
		t.Error("other places of images make the same bytes")
	}
	if other := newEdit(t, from("docker.io", "b.example.com"), release); mirror.Key() == other.Key() {
		t.Error("another registry makes the same bytes")
	}
	if !newEdit(t, v1alpha1.Edits{}, release).IsNone() || mirror.IsNone() || newEdit(t, withoutX, release).IsNone() {
		t.Error("what changes nothing is none, and nothing else")
	}
}

func TestAnEditedObjectIsInTheFormOfAllObjects(t *testing.T) {
	t.Parallel()
	const text = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, namespace: b, labels: {x: "y"}, annotations: {n: "<&>"}}
spec: {replicas: 3, template: {spec: {containers: [{name: c, image: "IMAGE", args: ["1e3", "<"], resources: {limits: {cpu: 1.50}}}]}}}
`
	mirror := newEdit(t, from("docker.io", "mirror.example.com/hub"), edit.Definitions{})
	file, entries := indexed(t, strings.ReplaceAll(text, "IMAGE", "nginx:1"))
	wantFile, want := indexed(t, strings.ReplaceAll(text, "IMAGE", "mirror.example.com/hub/library/nginx:1"))
	got, entry, err := entries[0].Edit(file, 3<<20, func(tree map[string]any) (bool, error) {
		return mirror.Object(entries[0].Ref, tree)
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(wantFile), string(got)); diff != "" {
		t.Errorf("bytes, as if it had been published so (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[0], entry); diff != "" {
		t.Errorf("entry, as if it had been published so (-want +got):\n%s", diff)
	}
}

func TestAnObjectThatAnEditMakesTooLargeIsRefused(t *testing.T) {
	t.Parallel()
	file, entries := indexed(t, "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: a/b}]}}")
	mirror := newEdit(t, from("docker.io", "mirror.example.com"), edit.Definitions{})
	_, _, err := entries[0].Edit(file, int64(len(file)), func(tree map[string]any) (bool, error) {
		return mirror.Object(entries[0].Ref, tree)
	})
	if fault.ReasonOf(err, "") != v1alpha1.LimitExceededReason || !strings.Contains(err.Error(), "Pod a: the edited object is larger") {
		t.Errorf("error = %v", err)
	}
}

func TestWhatNothingChangesStaysByteForByte(t *testing.T) {
	t.Parallel()
	file, entries := indexed(t, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"},"spec":{"containers":[{"image":"quay.io/a/b"}]}}`)
	mirror := newEdit(t, from("docker.io", "mirror.example.com"), edit.Definitions{})
	if mirror.Touches(entries[0]) {
		t.Error("an object without such an image is read")
	}
	got, entry, err := entries[0].Edit(file, 3<<20, func(tree map[string]any) (bool, error) {
		return mirror.Object(entries[0].Ref, tree)
	})
	if err != nil || !json.Valid(got) || string(got) != string(file) || entry.SHA256 != entries[0].SHA256 {
		t.Errorf("%s, %+v, %v", got, entry, err)
	}
}
