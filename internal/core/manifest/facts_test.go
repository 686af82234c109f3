package manifest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// definition returns a CustomResourceDefinition with a spec.
func definition(version, spec string) string {
	return fmt.Sprintf("apiVersion: apiextensions.k8s.io/%s\nkind: CustomResourceDefinition\n"+
		"metadata: {name: things.example.org}\nspec: %s\n", version, spec)
}

func TestObjectsReadsDefinitions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		want  *CRD
	}{
		"all facts": {
			definition("v1", "{group: example.org, scope: Namespaced, names: {kind: Thing, listKind: Thinglist, "+
				"plural: things, singular: thingy, shortNames: [th, ti]}, versions: [{name: v2, served: true}, "+
				"{name: v1beta1, served: false}, {name: v1, served: true}, {name: v0}]}"),
			&CRD{
				Group: "example.org", Kind: "Thing", ListKind: "Thinglist", Plural: "things", Singular: "thingy",
				ShortNames: []string{"th", "ti"}, Namespaced: true, Served: []string{"v1", "v2"},
				Versions: []string{"v0", "v1", "v1beta1", "v2"},
			},
		},
		"defaults of names": {
			definition("v1", "{group: example.org, scope: Cluster, names: {kind: Thing, plural: things}}"),
			&CRD{Group: "example.org", Kind: "Thing", ListKind: "ThingList", Plural: "things", Singular: "thing"},
		},
		"a version that is no longer served": {definition("v1beta1", "{group: example.org}"), nil},
		"another kind":                       {document("a"), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, entries(t, test.given)[0].CRD); diff != "" {
				t.Errorf("crd (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObjectsRefusesDefinitions(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"no spec":  {"", "spec.scope is neither Namespaced nor Cluster"},
		"no scope": {"{group: a, names: {kind: A, plural: as}}", "spec.scope is neither Namespaced nor Cluster"},
		"another scope": {
			"{group: a, scope: cluster, names: {kind: A, plural: as}}", "spec.scope is neither Namespaced nor Cluster"},
		"no group":  {"{scope: Cluster, names: {kind: A, plural: as}}", "spec.group is missing"},
		"no names":  {"{scope: Cluster, group: a}", "spec.names.kind is missing"},
		"no plural": {"{scope: Cluster, group: a, names: {kind: A}}", "spec.names.plural is missing"},
		"a plural that leads elsewhere": {
			"{scope: Cluster, group: a, names: {kind: A, plural: ../b}}", `spec.names.plural "../b": only letters`},
		"a group that leads elsewhere": {
			"{scope: Cluster, group: a/b, names: {kind: A, plural: b}}", `spec.group "a/b": only letters`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := refusal(t, definition("v1", test.given), DefaultLimits())
			want := "a.yaml, document 1 (line 1): CustomResourceDefinition things.example.org: " + test.want
			if fault.ReasonOf(err, "") != v1alpha1.ManifestInvalidReason || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error = %v (%s), want %s", err, fault.ReasonOf(err, ""), want)
			}
		})
	}
}

func TestObjectsReadsImages(t *testing.T) {
	t.Parallel()
	const spec = "{containers: [{image: b}, {image: a}, {name: none}, {image: b}], " +
		"initContainers: [{image: i}], ephemeralContainers: [{image: e}], other: [{image: no}], " +
		"volumes: [{image: {reference: v}}, {emptyDir: {}}, {image: no}]}"
	all := []string{"a", "b", "e", "i", "v"}
	tests := map[string]struct {
		given string
		want  []string
	}{
		"a Pod":         {"apiVersion: v1\nkind: Pod\nspec: " + spec, all},
		"a PodTemplate": {"apiVersion: v1\nkind: PodTemplate\ntemplate: {spec: " + spec + "}", all},
		"a ReplicationController": {
			"apiVersion: v1\nkind: ReplicationController\nspec: {template: {spec: " + spec + "}}", all},
		"a ReplicaSet":  {"apiVersion: apps/v1\nkind: ReplicaSet\nspec: {template: {spec: " + spec + "}}", all},
		"a Deployment":  {"apiVersion: apps/v1\nkind: Deployment\nspec: {template: {spec: " + spec + "}}", all},
		"a DaemonSet":   {"apiVersion: apps/v1\nkind: DaemonSet\nspec: {template: {spec: " + spec + "}}", all},
		"a StatefulSet": {"apiVersion: apps/v1\nkind: StatefulSet\nspec: {template: {spec: " + spec + "}}", all},
		"a Job":         {"apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: " + spec + "}}", all},
		"a CronJob": {
			"apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {spec: {template: {spec: " + spec + "}}}}", all},
		"a kind of the same name elsewhere": {
			"apiVersion: x.org/v1\nkind: Deployment\nspec: {template: {spec: " + spec + "}}", nil},
		"a Pod without containers":    {"apiVersion: v1\nkind: Pod\nspec: {}", nil},
		"a Pod of the wrong shape":    {"apiVersion: v1\nkind: Pod\nspec: {containers: [5, {image: 6}, [x]]}", nil},
		"a Deployment without a spec": {"apiVersion: apps/v1\nkind: Deployment", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := entries(t, test.given+"\nmetadata: {name: a}\n")[0].Images
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("images (-want +got):\n%s", diff)
			}
		})
	}
}
