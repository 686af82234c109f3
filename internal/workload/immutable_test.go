package workload

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	always = "template: {metadata: {labels: {app: a}}, spec: {containers: [{name: a, image: a}]}}"
)

func TestFieldsThatARealServerDoesNotLetBeChanged(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	tests := map[string]struct {
		givenKind     [3]string // group, version, kind
		before, after string
		want          bool
	}{
		"the selector of a Deployment": {
			[3]string{"apps", "v1", "Deployment"},
			"spec: {selector: {matchLabels: {app: a}}, " + always + "}",
			"spec: {selector: {matchLabels: {app: a, b: b}}, template: {metadata: {labels: {app: a, b: b}}, " +
				"spec: {containers: [{name: a, image: a}]}}}", true,
		},
		"the template of a Job": {
			[3]string{"batch", "v1", "Job"},
			"spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}",
			"spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: b}]}}}", true,
		},
		"the service of a StatefulSet": {
			[3]string{"apps", "v1", "StatefulSet"},
			"spec: {serviceName: a, selector: {matchLabels: {app: a}}, " + always + "}",
			"spec: {serviceName: b, selector: {matchLabels: {app: a}}, " + always + "}", true,
		},
		"the class of a PersistentVolumeClaim": {
			[3]string{"", "v1", "PersistentVolumeClaim"},
			"spec: {storageClassName: a, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}",
			"spec: {storageClassName: b, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}", true,
		},
		"the role of a RoleBinding": {
			[3]string{"rbac.authorization.k8s.io", "v1", "RoleBinding"},
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: a}",
			"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: b}", true,
		},
		"an immutable ConfigMap": {
			[3]string{"", "v1", "ConfigMap"}, "immutable: true\ndata: {a: a}", "immutable: true\ndata: {a: b}", true,
		},
		"the value of a PriorityClass": {
			[3]string{"scheduling.k8s.io", "v1", "PriorityClass"}, "value: 1", "value: 2", true,
		},
		"the parameters of a StorageClass": {
			[3]string{"storage.k8s.io", "v1", "StorageClass"},
			"provisioner: example.com\nparameters: {a: a}", "provisioner: example.com\nparameters: {a: b}", true,
		},
		"the containers of a Pod": {
			[3]string{"", "v1", "Pod"},
			"spec: {containers: [{name: a, image: a}]}", "spec: {containers: [{name: b, image: a}]}", true,
		},
		"the image of a container, wrong": {
			[3]string{"apps", "v1", "DaemonSet"},
			"spec: {selector: {matchLabels: {app: a}}, " + always + "}",
			"spec: {selector: {matchLabels: {app: a}}, template: {metadata: {labels: {app: a}}, " +
				"spec: {containers: [{name: UPPER, image: a}]}}}", false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			group, version, kind := test.givenKind[0], test.givenKind[1], test.givenKind[2]
			resource, _ := manifest.BuiltIn(group, version, kind)
			ref := manifest.Ref{Group: group, Version: version, Kind: kind, Name: ns + "-is-immutable"}
			if resource.Namespaced {
				ref.Namespace = ns
			}
			apply := func(content string) error {
				_, err := c.Apply(t.Context(), resource, ref, jsonOf(t, ref, content), inventory.FieldManager)
				return err
			}
			if err := apply(test.before); err != nil {
				t.Fatal(err)
			}
			err := apply(test.after)
			if err == nil || errors.Is(err, rollout.ErrImmutable) != test.want {
				t.Errorf("want it immutable %t, got %v", test.want, err)
			}
		})
	}
}

// jsonOf returns an object with the content, which is YAML.
func jsonOf(t *testing.T, ref manifest.Ref, content string) []byte {
	t.Helper()
	object := make(map[string]any)
	if err := yaml.Unmarshal([]byte(content), &object); err != nil {
		t.Fatal(err)
	}
	object["kind"], object["apiVersion"] = ref.Kind, ref.Version
	if ref.Group != "" {
		object["apiVersion"] = ref.Group + "/" + ref.Version
	}
	object["metadata"] = map[string]any{"name": ref.Name, "namespace": ref.Namespace}
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestDefinitionsOfARealServer(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	c := newClient(t, w.Config)
	resource, _ := manifest.BuiltIn("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
	want := make(map[string]definition.Live)
	for i := range definitionPage + 1 { // more than one page
		plural := "kind" + string(rune('a'+i)) + "s"
		ref := manifest.Ref{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition", Name: plural + ".definitions.test"}
		body := jsonOf(t, ref, "spec: {group: definitions.test, scope: Cluster, names: {kind: Kind"+string(rune('a'+i))+", plural: "+plural+"}, "+
			"versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]}")
		if _, err := c.Apply(t.Context(), resource, ref, body, inventory.FieldManager); err != nil {
			t.Fatal(err)
		}
		want[ref.Name] = definition.Live{
			Group: "definitions.test", Kind: "Kind" + string(rune('a'+i)), Plural: plural, Stored: []string{"v1"},
		}
	}
	got, err := c.Definitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, live := range want {
		if diff := cmp.Diff(live, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
