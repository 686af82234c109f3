package edit_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

func TestImagesComeFromOtherRegistries(t *testing.T) {
	t.Parallel()
	const digest = "@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	hub := from("docker.io", "m.io/hub")
	tests := map[string]struct {
		edits       v1alpha1.Edits
		given, want string
	}{
		"an image with its registry":                 {hub, "docker.io/calico/node", "m.io/hub/calico/node"},
		"an image without a registry":                {hub, "calico/node", "m.io/hub/calico/node"},
		"one word":                                   {hub, "nginx", "m.io/hub/library/nginx"},
		"one word with the registry":                 {hub, "docker.io/nginx:1", "m.io/hub/library/nginx:1"},
		"the other name of the registry":             {hub, "index.docker.io/a/b:1", "m.io/hub/a/b:1"},
		"the other name of the registry in the rule": {from("index.docker.io", "m.io/hub"), "a/b", "m.io/hub/a/b"},
		"a tag":                  {hub, "nginx:1.2", "m.io/hub/library/nginx:1.2"},
		"a digest":               {hub, "nginx" + digest, "m.io/hub/library/nginx" + digest},
		"a tag and a digest":     {hub, "calico/node:v3" + digest, "m.io/hub/calico/node:v3" + digest},
		"a deep path":            {hub, "docker.io/a/b/c/d:1", "m.io/hub/a/b/c/d:1"},
		"a registry with a port": {from("r.io:5000", "m.io"), "r.io:5000/a:1", "m.io/a:1"},
		"a registry with a port is not that without":   {from("r.io", "m.io"), "r.io:5000/a:1", "r.io:5000/a:1"},
		"a registry without a port is not that with":   {from("r.io:5000", "m.io"), "r.io/a:1", "r.io/a:1"},
		"a word with a port is a registry":             {hub, "registry:5000/a", "registry:5000/a"},
		"localhost is a registry":                      {hub, "localhost/a", "localhost/a"},
		"localhost as a rule":                          {from("localhost", "m.io/l"), "localhost/a:2", "m.io/l/a:2"},
		"another registry":                             {hub, "quay.io/a/b", "quay.io/a/b"},
		"a registry that begins with the same letters": {from("quay.io", "m.io"), "quay.io.example.com/a", "quay.io.example.com/a"},
		"a path":                 {from("quay.io/calico", "m.io/c"), "quay.io/calico/node:1", "m.io/c/node:1"},
		"another path":           {from("quay.io/calico", "m.io/c"), "quay.io/tigera/operator", "quay.io/tigera/operator"},
		"a path ends at a slash": {from("quay.io/cal", "m.io/c"), "quay.io/calico/node", "quay.io/calico/node"},
		"a whole image":          {from("docker.io/library/nginx", "m.io/web"), "nginx:1", "m.io/web:1"},
		"the longest rule": {
			from("quay.io", "m.io/q", "quay.io/calico", "m.io/c", "docker.io", "m.io/d"), "quay.io/calico/node", "m.io/c/node"},
		"the shorter rule for the rest": {
			from("quay.io/calico", "m.io/c", "quay.io", "m.io/q"), "quay.io/tigera/operator:1", "m.io/q/tigera/operator:1"},
		"what is rewritten is not rewritten again": {
			from("quay.io", "docker.io/q", "docker.io", "m.io"), "quay.io/a:1", "docker.io/q/a:1"},
		"a rule to the same": {from("docker.io", "docker.io"), "docker.io/a/b:1", "docker.io/a/b:1"},
		"no image":           {hub, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{image: %q}]}}"
			got, changed := edited(t, newEdit(t, test.edits, edit.Definitions{}), fmt.Sprintf(pod, test.given))
			if changed != (test.given != test.want) {
				t.Errorf("reports a change: %t", changed)
			}
			sameYAML(t, "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {}, annotations: {}}, "+
				fmt.Sprintf("spec: {containers: [{image: %q}]}}", test.want), got)
		})
	}
}

func TestImagesAreRewrittenInEveryPodSpec(t *testing.T) {
	t.Parallel()
	const spec = `{containers: [{image: "a/b:1"}], initContainers: [{image: "a/b:1"}], ephemeralContainers: [{image: "a/b:1"}], ` +
		`volumes: [{name: v, image: {reference: "a/b:1", pullPolicy: Never}}, {name: w, emptyDir: {}}], other: [{image: "a/b:1"}]}`
	tests := map[string]struct {
		given string
		want  bool
	}{
		"a Pod":                   {"apiVersion: v1\nkind: Pod\nspec: SPEC", true},
		"a PodTemplate":           {"apiVersion: v1\nkind: PodTemplate\ntemplate: {spec: SPEC}", true},
		"a ReplicationController": {"apiVersion: v1\nkind: ReplicationController\nspec: {template: {spec: SPEC}}", true},
		"a ReplicaSet":            {"apiVersion: apps/v1\nkind: ReplicaSet\nspec: {template: {spec: SPEC}}", true},
		"a Deployment":            {"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: SPEC}}", true},
		"a DaemonSet":             {"apiVersion: apps/v1\nkind: DaemonSet\nspec: {template: {spec: SPEC}}", true},
		"a StatefulSet":           {"apiVersion: apps/v1\nkind: StatefulSet\nspec: {template: {spec: SPEC}}", true},
		"a Job":                   {"apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: SPEC}}", true},
		"a CronJob":               {"apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: SPEC}}}}", true},
		"another kind":            {"apiVersion: x.org/v1\nkind: Deployment\nspec: {template: {spec: SPEC}}", false},
		"a ConfigMap":             {"apiVersion: v1\nkind: ConfigMap\ndata: {image: \"a/b:1\"}", false},
	}
	mirror := newEdit(t, from("docker.io", "m.io"), edit.Definitions{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.ReplaceAll(test.given, "SPEC", spec) + "\nmetadata: {name: a}\n"
			got, changed := edited(t, mirror, text)
			if changed != test.want {
				t.Errorf("reports a change: %t", changed)
			}
			wantRewritten, wantLeft := 4, 1
			if !test.want {
				wantRewritten, wantLeft = 0, strings.Count(text, "a/b:1")
			}
			rewritten := strings.Count(got, "m.io/a/b:1")
			left := strings.Count(got, "a/b:1") - rewritten
			if diff := cmp.Diff([2]int{wantRewritten, wantLeft}, [2]int{rewritten, left}); diff != "" {
				t.Errorf("images rewritten and left (-want +got):\n%s\n%s", diff, got)
			}
		})
	}
}

func TestImagesAreRewrittenWhereTheReleaseSaysThatTheyAre(t *testing.T) {
	t.Parallel()
	image := func(path string) v1alpha1.ImageLocation {
		return v1alpha1.ImageLocation{APIVersion: "x.org/v1", Kind: "Thing", Path: path}
	}
	registry := func(path, byDefault string) v1alpha1.ImageLocation {
		at := image(path)
		at.Type, at.Default = v1alpha1.ImageLocationRegistry, byDefault
		return at
	}
	other := image(".spec.image")
	other.APIVersion = "x.org/v2"
	tests := map[string]struct {
		at                      v1alpha1.ImageLocation
		givenFields, wantFields string // below spec; wantFields is empty for no change
		wantErr                 string
	}{
		"an image":                       {at: image(".spec.image"), givenFields: "{image: 'a:1'}", wantFields: "{image: 'm.io/library/a:1'}"},
		"a field inside":                 {at: image(".spec.a.b-c"), givenFields: "{a: {b-c: a/b, d: a/b}}", wantFields: "{a: {b-c: m.io/a/b, d: a/b}}"},
		"items of a list":                {at: image(".spec.l[*].image"), givenFields: "{l: [{image: a/b}, {}, {image: q.io/c}]}", wantFields: "{l: [{image: m.io/a/b}, {}, {image: q.io/c}]}"},
		"a list of images":               {at: image(".spec.l[*]"), givenFields: "{l: [a/b, q.io/c]}", wantFields: "{l: [m.io/a/b, q.io/c]}"},
		"lists in lists":                 {at: image(".spec.l[*].m[*].i"), givenFields: "{l: [{m: [{i: a/b}]}, {m: []}]}", wantFields: "{l: [{m: [{i: m.io/a/b}]}, {m: []}]}"},
		"a registry":                     {at: registry(".spec.r", ""), givenFields: "{r: docker.io}", wantFields: "{r: m.io}"},
		"a registry with a slash":        {at: registry(".spec.r", ""), givenFields: "{r: docker.io/}", wantFields: "{r: m.io/}"},
		"a registry with a path":         {at: registry(".spec.r", ""), givenFields: "{r: docker.io/team/a}", wantFields: "{r: m.io/team/a}"},
		"the old name of a registry":     {at: registry(".spec.r", ""), givenFields: "{r: index.docker.io}", wantFields: "{r: m.io}"},
		"another registry":               {at: registry(".spec.r", ""), givenFields: "{r: q.io}"},
		"a registry is no image":         {at: registry(".spec.r", ""), givenFields: "{r: nginx}"},
		"the default of what is absent":  {at: registry(".spec.r", "docker.io"), givenFields: "{a: 1}", wantFields: "{a: 1, r: m.io}"},
		"the default of what is empty":   {at: registry(".spec.r", "docker.io"), givenFields: "{r: ''}", wantFields: "{r: m.io}"},
		"the default of what is null":    {at: registry(".spec.r", "docker.io"), givenFields: "{r: null}", wantFields: "{r: m.io}"},
		"the default inside of nothing":  {at: registry(".spec.a.b", "docker.io"), givenFields: "{}", wantFields: "{a: {b: m.io}}"},
		"a default that no rule is of":   {at: registry(".spec.a.b", "q.io"), givenFields: "{}"},
		"no default of what is there":    {at: registry(".spec.r", "docker.io"), givenFields: "{r: q.io}"},
		"an absent field":                {at: image(".spec.a.b"), givenFields: "{}"},
		"an absent list":                 {at: image(".spec.l[*].b"), givenFields: "{}"},
		"another version of the kind":    {at: other, givenFields: "{image: 'a:1'}"},
		"a number":                       {at: image(".spec.image"), givenFields: "{image: 1}", wantErr: ".spec.image is a number and not text"},
		"a mapping":                      {at: image(".spec.image"), givenFields: "{image: {tag: a}}", wantErr: ".spec.image is a mapping and not text"},
		"a list that is none":            {at: image(".spec.l[*].i"), givenFields: "{l: {i: a}}", wantErr: ".spec.l[*].i leads into a mapping and not a sequence"},
		"a mapping that is none":         {at: image(".spec.a.b"), givenFields: "{a: [b]}", wantErr: ".spec.a.b leads into a sequence and not a mapping"},
		"an item of a list that is none": {at: image(".spec.l[*].i"), givenFields: "{l: [a]}", wantErr: ".spec.l[*].i leads into text and not a mapping"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEdit(t, from("docker.io", "m.io"), edit.Definitions{Images: []v1alpha1.ImageLocation{test.at}})
			thing := "{apiVersion: x.org/v1, kind: Thing, metadata: {name: a, labels: {}, annotations: {}}, spec: %s}"
			if test.wantErr != "" {
				file, entries := indexed(t, fmt.Sprintf(thing, test.givenFields))
				_, _, err := entries[0].Edit(file, 3<<20, func(tree map[string]any) (bool, error) {
					return e.Object(entries[0].Ref, tree)
				})
				if fault.ReasonOf(err, "") != v1alpha1.EditInvalidReason || err.Error() != "Thing a: images: "+test.wantErr {
					t.Errorf("error = %v (%s)", err, fault.ReasonOf(err, ""))
				}
				return
			}
			got, changed := edited(t, e, fmt.Sprintf(thing, test.givenFields))
			if changed != (test.wantFields != "") {
				t.Errorf("reports a change: %t", changed)
			}
			want := test.wantFields
			if want == "" {
				want = test.givenFields
			}
			sameYAML(t, fmt.Sprintf(thing, want), got)
		})
	}
}

func TestWithoutRegistriesNothingIsRewrittenWhereTheReleaseSaysThatImagesAre(t *testing.T) {
	t.Parallel()
	e := newEdit(t, v1alpha1.Edits{CRDDescriptions: v1alpha1.StripCRDDescriptions}, edit.Definitions{
		Images: []v1alpha1.ImageLocation{{APIVersion: "x.org/v1", Kind: "Thing", Path: ".spec.image"}},
	})
	_, entries := indexed(t, "{apiVersion: x.org/v1, kind: Thing, metadata: {name: a}, spec: {image: 5}}")
	if e.Touches(entries[0]) {
		t.Error("the object is read")
	}
}
