package library

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	relapi "github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const (
	thingCRD = `---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, description: of a thing}}}
`
	thingAndPods = `---
apiVersion: example.org/v1
kind: Thing
metadata: {name: thing, namespace: default}
spec: {registry: quay.io/things}
---
apiVersion: v1
kind: Pod
metadata: {name: hub, namespace: default}
spec: {containers: [{name: main, image: "nginx:1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: default}
spec: {containers: [{name: main, image: "gcr.io/other:1"}]}
`
)

// things is a release that can be edited in all ways.
func things(l *library) v1alpha1.Release {
	r := phased(
		[]v1alpha1.Source{l.shelf.put("https://example.com/crds.yaml", thingCRD)},
		[]v1alpha1.Source{l.shelf.put("https://example.com/things.yaml", thingAndPods), l.shelf.put("https://example.com/c.yaml", configMap("a"))},
	)
	r.Images = []v1alpha1.ImageLocation{
		{APIVersion: "example.org/v1", Kind: "Thing", Path: ".spec.registry", Type: v1alpha1.ImageLocationRegistry},
	}
	r.Components = []v1alpha1.Component{
		{Name: "other", Objects: []v1alpha1.ComponentObjects{{Kind: "Pod", Name: "other"}}},
		{Name: "map", Default: v1alpha1.OffComponentState, Objects: []v1alpha1.ComponentObjects{{Kind: "ConfigMap", Namespace: "default"}}},
	}
	r.Phases[1].ReadyWhen = []v1alpha1.ReadyWhen{
		{Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "other", Namespace: "default"}, Expression: "true"},
		{Object: v1alpha1.ObjectReference{APIVersion: "v1", Kind: "Pod", Name: "hub", Namespace: "default"}, Expression: "true"},
	}
	return r
}

var (
	mirrored = v1alpha1.Edits{ImageRegistries: []v1alpha1.ImageRegistry{
		{From: "docker.io", To: "mirror.example.com/hub"}, {From: "quay.io", To: "mirror.example.com/quay"},
	}}
	stripped = v1alpha1.Edits{CRDDescriptions: v1alpha1.StripCRDDescriptions}
)

// mustEdit opens an edited release until it is there.
func (l *library) mustEdit(t *testing.T, opened *Bundle, edits v1alpha1.Edits) *Bundle {
	t.Helper()
	edited, err := l.settleEdit(t, opened, edits)
	if err != nil {
		t.Fatal(err)
	}
	return edited
}

func (l *library) settleEdit(t *testing.T, opened *Bundle, edits v1alpha1.Edits) (*Bundle, error) {
	t.Helper()
	for {
		edited, err := l.OpenEdited(opened, edits)
		if !errors.Is(err, ErrFetching) {
			return edited, err
		}
		if got := l.hear(t); got != opened.owner {
			t.Errorf("told %s, want %s", got, opened.owner)
		}
	}
}

// bodies returns the JSON of the objects of a release by their names for people.
func bodies(t *testing.T, opened *Bundle) map[string]string {
	t.Helper()
	found := map[string]string{}
	for object := range opened.Plan.All {
		body, err := opened.JSON(*object)
		if err != nil {
			t.Error(err)
		}
		found[object.Ref.String()] = string(body)
	}
	return found
}

func TestAnEditedReleaseHasOtherBytesOfWhatTheEditsTouch(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	opened := l.mustOpen(t, things(l))
	plain := bodies(t, opened)
	if len(plain) != 5 || opened.Content != opened.Digest {
		t.Fatalf("want all five objects of a release that is not edited, got %q", slices.Collect(maps.Keys(plain)))
	}
	replaced := func(name, before, after string) func(map[string]string) {
		return func(want map[string]string) { want[name] = strings.Replace(want[name], before, after, 1) }
	}
	withoutMap := func(want map[string]string) { delete(want, "ConfigMap default/a") }
	tests := map[string]struct {
		edits       v1alpha1.Edits
		want        []func(map[string]string)
		wantReady   int
		wantSame    bool // the digest of the release
		wantTouched int
	}{
		"no edits": {want: []func(map[string]string){withoutMap}, wantReady: 2, wantSame: true},
		"registries": {edits: mirrored, wantReady: 2, wantTouched: 2, want: []func(map[string]string){
			withoutMap, replaced("Pod default/hub", "nginx:1", "mirror.example.com/hub/library/nginx:1"),
			replaced("Thing default/thing", "quay.io", "mirror.example.com/quay"),
		}},
		"a registry that a Pod has, and what is looked at for one has not": {
			edits:     v1alpha1.Edits{ImageRegistries: mirrored.ImageRegistries[:1]},
			wantReady: 2, wantTouched: 1, want: []func(map[string]string){
				withoutMap, replaced("Pod default/hub", "nginx:1", "mirror.example.com/hub/library/nginx:1"),
			},
		},
		"descriptions": {edits: stripped, wantReady: 2, wantTouched: 1, want: []func(map[string]string){
			withoutMap, replaced("CustomResourceDefinition things.example.org", `"description":"of a thing",`, ""),
		}},
		"components": {
			edits: v1alpha1.Edits{Components: []v1alpha1.ComponentChoice{
				{Name: "other", Enabled: new(false)}, {Name: "map", Enabled: new(true)},
			}},
			want:      []func(map[string]string){func(want map[string]string) { delete(want, "Pod default/other") }},
			wantReady: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			edited := l.mustEdit(t, opened, test.edits)
			want := maps.Clone(plain)
			for _, change := range test.want {
				change(want)
			}
			if diff := cmp.Diff(want, bodies(t, edited)); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			if len(edited.ReadyWhen[1]) != test.wantReady {
				t.Errorf("want %d expressions, got %d", test.wantReady, len(edited.ReadyWhen[1]))
			}
			if edited.Digest != opened.Digest || (edited.Content == opened.Digest) != test.wantSame {
				t.Errorf("digest %s, content %s, of a release with the digest %s", edited.Digest, edited.Content, opened.Digest)
			}
			touched := 0
			for object := range edited.Plan.All {
				if object.Edited {
					touched++
				}
			}
			if touched != test.wantTouched {
				t.Errorf("want %d objects in files of edited ones, got %d", test.wantTouched, touched)
			}
			if again := l.mustEdit(t, opened, test.edits); again.Plan != edited.Plan {
				t.Error("want one plan for all with equal edits")
			}
		})
	}
}

func TestAReleaseIsEditedOnceForEqualEdits(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	opened := l.mustOpen(t, things(l))
	l.mustEdit(t, opened, mirrored)
	l.mustEdit(t, opened, stripped)
	both := mirrored
	both.CRDDescriptions = v1alpha1.StripCRDDescriptions
	l.mustEdit(t, opened, both)
	shuffled := v1alpha1.Edits{ImageRegistries: []v1alpha1.ImageRegistry{mirrored.ImageRegistries[1], mirrored.ImageRegistries[0]}}
	if _, err := l.OpenEdited(opened, shuffled); err != nil {
		t.Errorf("want what is there for edits in another order, got %v", err)
	}
	made, err := filepath.Glob(filepath.Join(l.dir, "derived", editedIndexKind, "*"))
	// Two parts have something to edit, one for each of mirrored and stripped, both for both.
	if err != nil || len(made) != 4 {
		t.Errorf("want 4 editions, got %q, %v", made, err)
	}
	if l.shelf.total() != 3 {
		t.Errorf("want nothing fetched again, got %v", l.shelf.counts())
	}
}

func TestWhatCannotBeEditedIsStalledAndLeavesNothing(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := things(l)
	r.Images[0].Path = ".spec"
	opened := l.mustOpen(t, r)
	_, err := l.settleEdit(t, opened, mirrored)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.EditInvalidReason, "Thing default/thing: images: .spec is a mapping and not text")
	_, err = l.OpenEdited(opened, v1alpha1.Edits{Components: []v1alpha1.ComponentChoice{{Name: "edge", Enabled: new(false)}}})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.EditInvalidReason, `no component "edge", it has: map, other`)
	if made, _ := filepath.Glob(filepath.Join(l.dir, "derived", "edited-*", "*")); len(made) > 0 {
		t.Errorf("want nothing left, got %q", made)
	}
}

func TestWhatAReleaseSaysOfObjectsThatItDoesNotHaveIsStalled(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := things(l)
	r.Components[0].Objects[0].Name = "gone"
	_, err := l.settle(t, r)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.EditInvalidReason, "component other: no object is Pod gone")
}

func TestAReleaseThatTheEditsDoNotFitIsNotChosen(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := things(l)
	l.mustOpen(t, r)
	bundle := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{r}}}
	bundle.Namespace, bundle.Name = calico.Namespace, calico.Name
	if _, err := l.Select(bundle, relapi.Query{Edits: mirrored}); err != nil {
		t.Fatal(err)
	}
	_, err := l.Select(bundle, relapi.Query{Edits: v1alpha1.Edits{
		Components: []v1alpha1.ComponentChoice{{Name: "edge", Enabled: new(true)}},
	}})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.EditInvalidReason, `no component "edge"`)
}

func TestTheDigestOfAReleaseChangesWithWhatItSaysOfItsObjects(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := things(l)
	before := l.mustOpen(t, r).Digest
	r.Components[0].Default = v1alpha1.OffComponentState
	if after := l.mustOpen(t, r).Digest; after == before {
		t.Error("want another digest: other objects are delivered")
	}
}

func TestDamagedEditionsAreMadeAgain(t *testing.T) {
	t.Parallel()
	flip := func(content []byte) []byte { content[len(content)/2] ^= 1; return content }
	for name, test := range map[string]struct {
		file  string // one of those of the edition or of the part
		fetch bool   // whether the part is fetched again
	}{
		"an edited object":   {file: editedObjectsKind},
		"the edited index":   {file: editedIndexKind},
		"a published object": {file: objectsKind, fetch: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			src := l.shelf.put("https://example.com/crds.yaml", thingCRD)
			opened := l.mustOpen(t, of(src))
			edited := l.mustEdit(t, opened, stripped)
			want := bodies(t, edited)
			object := edited.Plan.Phases[0].Steps[0].Objects[0]
			d := edition{edited.parts[object.Blob], edited.resolved.edit}.digest()
			if test.fetch {
				overwrite(t, l.derived(objectsKind, src), flip)
				if err := l.store.Remove(d); err != nil {
					t.Fatal(err)
				}
				_, err := l.settleEdit(t, opened, stripped)
				faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "things.example.org", "damaged")
				opened = l.mustOpen(t, of(src))
				l.clock.Step(maxRetry)
				_, _ = l.OpenEdited(opened, stripped)
				l.hear(t)
			} else {
				overwrite(t, filepath.Join(l.dir, "derived", test.file, d.Encoded()), flip)
			}
			if test.file == editedObjectsKind {
				_, err := edited.JSON(object)
				faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "things.example.org", "damaged")
			}
			if test.file == editedIndexKind {
				l.releases.plans.clear()
			}
			if diff := cmp.Diff(want, bodies(t, l.mustEdit(t, opened, stripped))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
			fetched := 1
			if test.fetch {
				fetched = 2
			}
			if got := l.shelf.total(); got != fetched {
				t.Errorf("want %d downloads, got %d", fetched, got)
			}
		})
	}
}

func TestEditionsThatNobodyUsesGiveWay(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf(), func(cfg *Config) {
		limited, err := store.Open(t.TempDir(), store.Options{MaxBytes: 20 * 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Store = limited
	})
	opened := l.mustOpen(t, of(l.shelf.put("https://example.com/things.yaml", thingAndPods)))
	defer opened.Hold()()
	for i := range 20 {
		edits := v1alpha1.Edits{ImageRegistries: []v1alpha1.ImageRegistry{{From: "docker.io", To: "m" + strings.Repeat("x", i) + ".example.com"}}}
		edited := l.mustEdit(t, opened, edits)
		release := edited.Hold()
		if n := len(bodies(t, edited)); n != 3 {
			t.Errorf("%d objects", n)
		}
		release()
		l.Forget(opened.owner) // it names now what it names
		if _, err := l.Open(opened.owner, of(httpsSource("https://example.com/things.yaml", thingAndPods))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatAClusterGetsOfItsOwnIsEdited(t *testing.T) {
	t.Parallel()
	l, r, heard := newVarying(t)
	l.shelf.put(clusterURL+one.Name, "{apiVersion: v1, kind: Pod, metadata: {name: own}, spec: {containers: [{image: a/b}]}}")
	shared := l.mustOpen(t, r)
	own := l.openFor(t, shared, one, heard)
	edited := l.mustEdit(t, own, mirrored)
	if got := bodies(t, edited)["Pod default/own"]; !strings.Contains(got, `"image":"mirror.example.com/hub/a/b"`) {
		t.Errorf("got %s", got)
	}
	if edited.Digest != shared.Digest {
		t.Errorf("want the digest %s of all Clusters, got %s", shared.Digest, edited.Digest)
	}
}
