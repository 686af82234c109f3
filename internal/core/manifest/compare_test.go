package manifest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const refused = `# Works with kubectl create, and not with a server-side apply.
apiVersion: apps/v1
kind: Deployment
metadata: {name: dup, namespace: default}
spec:
  selector: {matchLabels: {app: dup}}
  template:
    metadata: {labels: {app: dup}}
    spec:
      containers:
      - name: main
        image: registry.example.com/dup:1
        env: [{name: CONTEXT_PATH, value: /}, {name: CONTEXT_PATH, value: /override}]
        ports: [{name: http, containerPort: 8080}, {name: probe, containerPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: slips, namespace: default}
spec:
  selector: {matchLabels: {app: slips}}
  template:
    metadata: {labels: {app: slips}, annotations: {scrape: true}}
    spec:
      nodeAffinity: {}
      containers: [{name: main, image: registry.example.com/slips:1, env: [{name: PORT, value: 8080}]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: everywhere, namespace: somewhere}
---
# Of a group whose name begins as that of a built-in one.
apiVersion: apps.example.org/v1
kind: Deployment
metadata: {name: other}
spec: {anything: goes}
`

func TestWhatAnAPIServerWouldRefuseIsInTheIndex(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	index, err := Build(&file, Objects(strings.NewReader(refused), "a.yaml", DefaultLimits()))
	if err != nil {
		t.Fatal(err)
	}
	const (
		dup   = "a.yaml, document 1 (line 2): Deployment default/dup: spec.template.spec.containers[name=\"main\"]"
		slips = "a.yaml, document 2 (line 16): Deployment default/slips: spec.template."
	)
	want := []string{
		dup + `.env[name="CONTEXT_PATH"]: 2 times in the list, where it may be once: the last one is delivered`,
		dup + `.ports[containerPort=8080,protocol="TCP"]: 2 times in the list, where it may be once: the last one is delivered`,
		slips + `metadata.annotations["scrape"]: a boolean and not text: put it in quotes`,
		slips + `spec.containers[name="main"].env[name="PORT"].value: a number and not text: put it in quotes`,
		slips + "spec.nodeAffinity: PodSpec of Kubernetes v1.36 has no such field; " +
			"an API server that does not know it refuses the object",
		"a.yaml, document 3 (line 27): ClusterRole somewhere/everywhere: " +
			"metadata.namespace: a ClusterRole has no namespace: it is ignored",
	}
	if diff := cmp.Diff(want, index.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	stored := file.String()[:index.Entries[0].Length]
	for _, last := range []string{
		`"env":[{"name":"CONTEXT_PATH","value":"/override"}]`, `"ports":[{"containerPort":8080,"name":"probe"}]`,
	} {
		if !strings.Contains(stored, last) {
			t.Errorf("want %s in %s", last, stored)
		}
	}
}

// TestEveryBuiltInKindHasASchema has the schemas know what BuiltIn knows.
func TestEveryBuiltInKindHasASchema(t *testing.T) {
	t.Parallel()
	without := map[string]bool{"CustomResourceDefinition": true, "APIService": true}
	for kind, known := range builtIns {
		for version := range strings.FieldsSeq(known.versions) {
			ref := Ref{Group: kind[0], Version: version, Kind: kind[1], Name: "a"}
			found := compared(ref, map[string]any{"odd": true}, 100)
			if (len(found) == 0) != without[ref.Kind] {
				t.Errorf("%s/%s %s: found %q", ref.Group, ref.Version, ref.Kind, found)
			}
		}
	}
}
