package kustomize

import (
	"strings"
	"testing"
)

// A schema decides how patches are merged: with that of another archive a container
// would be replaced instead of changed.
//
//nolint:paralleltest // the schema of the library is a global variable
func TestTheSchemaOfOneArchiveIsNotThatOfTheNext(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  template:\n    spec:\n" +
		"      containers: [{name: main, image: example.org/main}]\n"
	const patch = "resources: [a.yaml]\npatches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n" +
		"    metadata: {name: a}\n    spec: {template: {spec: {containers: [{name: main, args: [-v]}]}}}\n"
	own := `{"definitions": {"io.k8s.api.apps.v1.Deployment": {"properties": {"spec": {}},
		"x-kubernetes-group-version-kind": [{"group": "apps", "kind": "Deployment", "version": "v1"}]}}}`
	for name, schema := range map[string]string{"another": own, "none": "nope"} {
		t.Run(name, func(t *testing.T) {
			files := filesOf("kustomization.yaml", patch+"openapi: {path: s.json}\n", "a.yaml", deployment, "s.json", schema)
			_, _ = Build(files, ".", DefaultLimits())
			got, err := Build(filesOf("kustomization.yaml", patch, "a.yaml", deployment), ".", DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got), "image: example.org/main") {
				t.Errorf("want the container to be changed and not replaced, got\n%s", got)
			}
		})
	}
}
