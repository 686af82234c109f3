package validation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// treeOf reads YAML with the types that an object has before it is JSON.
func treeOf(tb testing.TB, text string) map[string]any {
	tb.Helper()
	tree := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		tb.Fatal(err)
	}
	return tree
}

// podWith returns a Pod with fields of its spec beside a container, and of that.
func podWith(spec, container string) string {
	return "metadata: {name: a}\nspec:\n  containers: [{name: main, image: a" + container + "}]\n" + spec
}

const most = 1 << 20

var pod = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

func TestWhatAnAPIServerWouldRefuseIsFound(t *testing.T) {
	t.Parallel()
	const main = `spec.containers[name="main"]`
	tests := map[string]struct {
		given string
		want  []string
	}{
		"an object as it should be": {podWith("", ", env: [{name: A, value: b}, {name: B}], ports: [{containerPort: 80}]"), nil},
		"a boolean for text": {
			"metadata: {name: a, annotations: {scrape: true}}",
			[]string{`metadata.annotations["scrape"]: a boolean and not text: put it in quotes`},
		},
		"a number for text": {
			podWith("", ", env: [{name: PORT, value: 8080}]"),
			[]string{main + `.env[name="PORT"].value: a number and not text: put it in quotes`},
		},
		"text for a number": {
			podWith("  priority: high", ""), []string{"spec.priority: text and not a number"},
		},
		"text for a boolean": {
			podWith(`  hostNetwork: "true"`, ""), []string{"spec.hostNetwork: text and not a boolean"},
		},
		"a sequence for a mapping": {
			podWith("  securityContext: []", ""), []string{"spec.securityContext: a sequence and not a mapping"},
		},
		"a mapping for a sequence": {
			podWith("  volumes: {a: {}}", ""), []string{"spec.volumes: a mapping and not a sequence"},
		},
		"a mapping for text":                    {podWith("  nodeName: {}", ""), []string{"spec.nodeName: a mapping and not text"}},
		"numbers and text where both are taken": {podWith("", `, resources: {limits: {cpu: 1, memory: 1Gi, a/b: 0.5}}`), nil},
		"a mapping where any scalar is taken": {
			podWith("", `, resources: {limits: {cpu: {}}}`), []string{main + `.resources.limits["cpu"]: a mapping and not a single value`},
		},
		"a field at another depth": {
			podWith("  nodeAffinity: {}", ""),
			[]string{"spec.nodeAffinity: PodSpec of Kubernetes v1.36 has no such field; " +
				"an API server that does not know it refuses the object"},
		},
		"items of a list-map without a key": {
			podWith("  volumes: [{emptyDir: {}}, {emptyDir: {}}]", ", ports: [{name: a}]"),
			[]string{main + ".ports[0]: containerPort is missing", "spec.volumes[0]: name is missing", "spec.volumes[1]: name is missing"},
		},
		"null in a list-map": {podWith("  volumes: [null]", ""), []string{"spec.volumes[0]: null, which this list cannot have"}},
		"text in a list-map": {podWith("  volumes: [a]", ""), []string{"spec.volumes[0]: text and not a mapping"}},
		"null anywhere else": {podWith("  volumes: null\n  nodeName: null", ", env: null"), nil},
		"a key that is no scalar": {
			podWith("  volumes: [{name: [a]}]", ""), []string{"spec.volumes[0].name: a sequence and not text"},
		},
		"a mapping in a set": {
			"metadata: {name: a, finalizers: [a, {}]}", []string{"metadata.finalizers[1]: a mapping and not text"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Normalize(pod, treeOf(t, tc.given), most)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestOfDuplicatesTheLastOneStays(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want, wantAt string }{
		"variables": {
			podWith("", ", env: [{name: A, value: a}, {name: B}, {name: A, value: b}]"),
			podWith("", ", env: [{name: B}, {name: A, value: b}]"), `spec.containers[name="main"].env[name="A"]`,
		},
		"ports by a protocol that one of them names": {
			podWith("", ", ports: [{name: a, containerPort: 80}, {name: b, containerPort: 80, protocol: TCP}]"),
			podWith("", ", ports: [{name: b, containerPort: 80, protocol: TCP}]"),
			`spec.containers[name="main"].ports[containerPort=80,protocol="TCP"]`,
		},
		"containers": {
			podWith("  initContainers: [{name: i, image: a}, {name: i, image: b}]", ""),
			podWith("  initContainers: [{name: i, image: b}]", ""), `spec.initContainers[name="i"]`,
		},
		"hosts": {
			podWith("  hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]", ""),
			podWith("  hostAliases: [{ip: 10.0.0.1, hostnames: [b]}]", ""), `spec.hostAliases[ip="10.0.0.1"]`,
		},
		"items of a set": {
			"metadata: {name: a, finalizers: [a/a, b/b, a/a]}", "metadata: {name: a, finalizers: [b/b, a/a]}",
			`metadata.finalizers[="a/a"]`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := treeOf(t, tc.given)
			got := Normalize(pod, tree, most)
			want := tc.wantAt + ": 2 times in the list, where it may be once: the last one is delivered"
			if diff := cmp.Diff([]string{want}, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(treeOf(t, tc.want), tree); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
	ports := podWith("", ", ports: [{containerPort: 53, protocol: TCP}, {containerPort: 53, protocol: UDP}]")
	if got := Normalize(pod, treeOf(t, ports), most); got != nil {
		t.Errorf("want ports of two protocols to be two, got %q", got)
	}
}

func TestAKindWithoutASchemaIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, kind := range []schema.GroupVersionKind{
		{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		{Group: "apps", Version: "v9", Kind: "Deployment"},
	} {
		if got := Normalize(kind, treeOf(t, "spec: 1"), most); got != nil {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

func TestFindingsAreBounded(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "  %s%03d: 1\n", strings.Repeat("x", 900), i)
	}
	got := Normalize(pod, treeOf(t, podWith(many.String(), "")), most)
	if len(got) != 100 || len(got[0]) > 1024 {
		t.Errorf("%d findings, the first has %d bytes", len(got), len(got[0]))
	}
	if got := Normalize(pod, treeOf(t, podWith(many.String(), "")), 3); got != nil {
		t.Errorf("want nothing found behind the bound, got %q", got)
	}
}
