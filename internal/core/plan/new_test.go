package plan

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// phase returns a phase with one source that holds the documents of a text.
func phase(t *testing.T, name string, sources ...string) Input {
	t.Helper()
	input := Input{Name: name}
	for i, text := range sources {
		input.Blobs = append(input.Blobs, blob(t, fmt.Sprintf("%s-%d.yaml", name, i), strings.NewReader(text)))
	}
	return input
}

// object returns a document with one object; name is namespace/name or name.
func object(apiVersion, kind, name string, more ...string) string {
	namespace, short, ok := strings.Cut(name, "/")
	if !ok {
		return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: %q}\n%s\n",
			apiVersion, kind, name, strings.Join(more, "\n"))
	}
	return fmt.Sprintf("---\napiVersion: %s\nkind: %s\nmetadata: {name: %q, namespace: %q}\n%s\n",
		apiVersion, kind, short, namespace, strings.Join(more, "\n"))
}

// crd returns a document that defines the kind Thing in the group example.org.
func crd(plural, scope string, served ...string) string {
	var versions []string
	for _, version := range served {
		versions = append(versions, fmt.Sprintf("{name: %s, served: true}", version))
	}
	versions = append(versions, "{name: v0, served: false}")
	return object("apiextensions.k8s.io/v1", "CustomResourceDefinition", plural+".example.org", fmt.Sprintf(
		"spec: {group: example.org, scope: %s, names: {kind: Thing, plural: %s}, versions: [%s]}",
		scope, plural, strings.Join(versions, ", ")))
}

// lines returns a plan as text: a line for each step and object.
func lines(plan *Plan) []string {
	var result []string
	for _, phase := range plan.Phases {
		for _, step := range phase.Steps {
			line := phase.Name + " " + string(step.Name)
			if step.Gate != GateNone {
				line += ", gate " + string(step.Gate)
			}
			result = append(result, line)
			for _, o := range step.Objects {
				result = append(result, "  "+describe(o))
			}
		}
	}
	return result
}

// describe returns the path and the size of an object.
func describe(o Object) string {
	if !o.Known {
		return fmt.Sprintf("%s (%s/%s, discovery)", o.Ref, o.Group, o.Version)
	}
	parts := []string{o.Resource.Group, o.Resource.Version}
	if o.Resource.Namespaced {
		parts = append(parts, "namespaces", o.Namespace)
	}
	parts = append(parts, o.Resource.Plural, o.Name)
	return strings.TrimPrefix(strings.Join(parts, "/"), "/")
}

// in returns a phase whose sources have a namespace.
func in(namespace string, input Input) Input {
	for i := range input.Blobs {
		input.Blobs[i].Namespace = namespace
	}
	return input
}

func TestNew(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given []Input
		want  []string
	}{
		"no phase gives an empty plan": {},
		"a phase without objects has no steps": {
			given: []Input{phase(t, "a"), phase(t, "b", object("v1", "ConfigMap", "x/c"))},
			want:  []string{"b config", "  v1/namespaces/x/configmaps/c"},
		},
		"each kind of kinds has its step": {
			given: []Input{phase(t, "a",
				object("example.org/v1", "Thing", "t")+
					object("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "w")+
					object("apiregistration.k8s.io/v1", "APIService", "v1.a")+
					object("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicyBinding", "m")+
					object("apps/v1", "Deployment", "n/d")+
					object("batch/v1", "CronJob", "n/j")+
					object("v1", "Pod", "n/p")+
					object("v1", "Service", "n/s")+
					crd("things", "Cluster", "v1")+
					object("v1", "Namespace", "n"))},
			want: []string{
				"a namespaces", "  v1/namespaces/n",
				"a crds, gate CRDs",
				"  apiextensions.k8s.io/v1/customresourcedefinitions/things.example.org",
				"a config", "  v1/namespaces/n/services/s",
				"a workloads, gate Workloads",
				"  v1/namespaces/n/pods/p",
				"  apps/v1/namespaces/n/deployments/d",
				"  batch/v1/namespaces/n/cronjobs/j",
				"a webhooks",
				"  admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings/m",
				"  admissionregistration.k8s.io/v1/validatingwebhookconfigurations/w",
				"  apiregistration.k8s.io/v1/apiservices/v1.a",
				"a instances", "  example.org/v1/things/t",
			},
		},
		"configuration begins with identity, roles and bindings": {
			given: []Input{phase(t, "a",
				object("v1", "ConfigMap", "n/a")+
					object("rbac.authorization.k8s.io/v1", "RoleBinding", "n/b")+
					object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "c")+
					object("rbac.authorization.k8s.io/v1", "Role", "n/d")+
					object("rbac.authorization.k8s.io/v1", "ClusterRole", "e")+
					object("v1", "ServiceAccount", "n/f"))},
			want: []string{
				"a config",
				"  v1/namespaces/n/serviceaccounts/f",
				"  rbac.authorization.k8s.io/v1/clusterroles/e",
				"  rbac.authorization.k8s.io/v1/namespaces/n/roles/d",
				"  rbac.authorization.k8s.io/v1/clusterrolebindings/c",
				"  rbac.authorization.k8s.io/v1/namespaces/n/rolebindings/b",
				"  v1/namespaces/n/configmaps/a",
			},
		},
		"a kind that a later phase defines is known": {
			given: []Input{
				phase(t, "a", object("example.org/v1", "Thing", "n/t")),
				phase(t, "b", crd("thingz", "Namespaced", "v1")),
			},
			want: []string{
				"a served", "  example.org/v1/namespaces/n/thingz/t",
				"b crds, gate CRDs",
				"  apiextensions.k8s.io/v1/customresourcedefinitions/thingz.example.org",
			},
		},
		"a kind that nobody defines is left to discovery": {
			given: []Input{phase(t, "a", object("monitoring.coreos.com/v1", "ServiceMonitor", "n/m"))},
			want:  []string{"a served", "  ServiceMonitor n/m (monitoring.coreos.com/v1, discovery)"},
		},
		"a preview version of a built-in kind keeps its step": {
			given: []Input{phase(t, "a",
				object("admissionregistration.k8s.io/v1beta1", "MutatingAdmissionPolicy", "p")+
					object("networking.k8s.io/v1beta1", "IPAddress", "i"))},
			want: []string{
				"a config", "  IPAddress i (networking.k8s.io/v1beta1, discovery)",
				"a webhooks", "  MutatingAdmissionPolicy p (admissionregistration.k8s.io/v1beta1, discovery)",
			},
		},
		"a namespaced object without a namespace goes to default": {
			given: []Input{phase(t, "a",
				crd("things", "Namespaced", "v1")+
					object("v1", "ConfigMap", "c")+object("example.org/v1", "Thing", "t"))},
			want: []string{
				"a crds, gate CRDs",
				"  apiextensions.k8s.io/v1/customresourcedefinitions/things.example.org",
				"a config", "  v1/namespaces/default/configmaps/c",
				"a instances", "  example.org/v1/namespaces/default/things/t",
			},
		},
		"or to the namespace of its source": {
			given: []Input{in("apps", phase(t, "a",
				object("v1", "ConfigMap", "c")+object("v1", "ConfigMap", "n/c")+object("v1", "Namespace", "apps")+
					object("monitoring.coreos.com/v1", "ServiceMonitor", "m")))},
			want: []string{
				"a namespaces", "  v1/namespaces/apps",
				"a config", "  v1/namespaces/apps/configmaps/c", "  v1/namespaces/n/configmaps/c",
				"a served", "  ServiceMonitor m (monitoring.coreos.com/v1, discovery)",
			},
		},
		"an object of two sources with two namespaces is two objects": {
			given: []Input{in("apps", phase(t, "a", object("v1", "ConfigMap", "c"))), phase(t, "b", object("v1", "ConfigMap", "c"))},
			want: []string{
				"a config", "  v1/namespaces/apps/configmaps/c", "b config", "  v1/namespaces/default/configmaps/c",
			},
		},
		"an object of the cluster loses its namespace": {
			given: []Input{phase(t, "a", object("rbac.authorization.k8s.io/v1", "ClusterRole", "n/r"))},
			want:  []string{"a config", "  rbac.authorization.k8s.io/v1/clusterroles/r"},
		},
		"an object that is duplicated is kept in its first phase": {
			given: []Input{
				phase(t, "a", object("v1", "Namespace", "n"), object("v1", "Namespace", "n")),
				phase(t, "b", object("v1", "Namespace", "n")),
			},
			want: []string{"a namespaces", "  v1/namespaces/n"},
		},
		"the same name in two namespaces, kinds or groups is not the same object": {
			given: []Input{phase(t, "a",
				object("v1", "ConfigMap", "n/a")+object("v1", "ConfigMap", "m/a")+object("v1", "Secret", "n/a")+
					object("v1", "Event", "n/a")+object("events.k8s.io/v1", "Event", "n/a"))},
			want: []string{
				"a config",
				"  v1/namespaces/m/configmaps/a",
				"  v1/namespaces/n/configmaps/a",
				"  v1/namespaces/n/events/a",
				"  v1/namespaces/n/secrets/a",
				"  events.k8s.io/v1/namespaces/n/events/a",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := New(test.given, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, lines(plan)); diff != "" {
				t.Errorf("plan (-want +got):\n%s", diff)
			}
			if len(plan.Phases) != len(test.given) {
				t.Errorf("%d phases, want %d", len(plan.Phases), len(test.given))
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	one := manifest.DefaultLimits()
	one.Objects = 1
	tests := map[string]struct {
		given      []Input
		givenLimit manifest.Limits
		wantReason string
		want       string
	}{
		"an object with two contents": {
			given: []Input{
				phase(t, "a", object("v1", "ConfigMap", "n/c", "data: {a: b}")),
				phase(t, "b", object("v1", "ConfigMap", "n/c", "data: {a: c}")),
			},
			wantReason: v1alpha1.ObjectConflictReason,
			want: "ConfigMap n/c is duplicated with different content: " +
				"a-0.yaml, document 1 (line 2); b-0.yaml, document 1 (line 2)",
		},
		"an object in two versions": {
			given: []Input{phase(t, "a", object("autoscaling/v1", "HorizontalPodAutoscaler", "n/h"),
				object("autoscaling/v2", "HorizontalPodAutoscaler", "n/h"))},
			wantReason: v1alpha1.ObjectConflictReason,
			want: "HorizontalPodAutoscaler n/h is duplicated with different content: " +
				"a-0.yaml, document 1 (line 2); a-1.yaml, document 1 (line 2)",
		},
		"an object with and without the namespace default": {
			given: []Input{phase(t, "a",
				object("v1", "ConfigMap", "default/c")+object("v1", "ConfigMap", "c"))},
			wantReason: v1alpha1.ObjectConflictReason,
			want: "ConfigMap default/c is duplicated with different content: " +
				"a-0.yaml, document 1 (line 2); a-0.yaml, document 2 (line 7)",
		},
		"an instance of a version that is not served": {
			given: []Input{phase(t, "a",
				crd("things", "Cluster", "v2", "v1")+object("example.org/v0", "Thing", "t"))},
			wantReason: v1alpha1.ManifestInvalidReason,
			want: `a-0.yaml, document 2 (line 7): Thing t: ` +
				`CustomResourceDefinition things.example.org does not serve version v0 (served: ["v1" "v2"])`,
		},
		"a kind that two definitions define": {
			given: []Input{phase(t, "a",
				crd("things", "Cluster", "v1"), crd("thingies", "Cluster", "v1"))},
			wantReason: v1alpha1.ObjectConflictReason,
			want: "Thing.example.org is defined twice: " +
				"a-0.yaml, document 1 (line 2): CustomResourceDefinition things.example.org; " +
				"a-1.yaml, document 1 (line 2): CustomResourceDefinition thingies.example.org",
		},
		"more objects than the limit, over all phases": {
			given: []Input{
				phase(t, "a", object("v1", "Namespace", "a")), phase(t, "b", object("v1", "Namespace", "b")),
			},
			givenLimit: one,
			wantReason: v1alpha1.LimitExceededReason,
			want:       "the release has 2 objects, more than 1",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := test.givenLimit
			if limits == (manifest.Limits{}) {
				limits = manifest.DefaultLimits()
			}
			plan, err := New(test.given, limits)
			if plan != nil || err == nil {
				t.Fatalf("plan = %v, error = %v", plan, err)
			}
			if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != test.wantReason {
				t.Errorf("class %v, reason %s, want %s", fault.ClassOf(err), fault.ReasonOf(err, ""), test.wantReason)
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewTellsTheFirstTenProblemsInOrder(t *testing.T) {
	t.Parallel()
	var a, b string
	for i := range 12 {
		name := fmt.Sprintf("n/c%02d", 11-i)
		a += object("v1", "ConfigMap", name, "data: {a: b}")
		b += object("v1", "ConfigMap", name)
	}
	_, err := New([]Input{phase(t, "a", a, b)}, manifest.DefaultLimits())
	if err == nil {
		t.Fatal("no error")
	}
	texts := strings.Split(err.Error(), "; ConfigMap")
	if len(texts) != 10 || !slices.IsSorted(texts[1:]) || !strings.HasSuffix(err.Error(), "; and 2 more") {
		t.Errorf("%d problems: %s", len(texts), err)
	}
}

// TestNewDoesNotDependOnTheOrderOfDocuments shuffles sources and entries of a
// mixed phase and expects the same plan, places and blobs included.
func TestNewDoesNotDependOnTheOrderOfDocuments(t *testing.T) {
	t.Parallel()
	given := mixed(t)
	want, err := New(given, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	for seed := range int64(50) {
		shuffle(rand.New(rand.NewSource(seed)), given)
		got, err := New(given, manifest.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

// TestNewDoesNotDependOnTheOrderOfProblems does the same for a release with errors.
func TestNewDoesNotDependOnTheOrderOfProblems(t *testing.T) {
	t.Parallel()
	given := append(mixed(t), phase(t, "bad",
		object("v1", "Secret", "n/s", "data: {x: eA==}"), object("example.org/v9", "Thing", "n/t9"),
		crd("thangs", "Cluster", "v3"), object("v1", "Secret", "n/s", "data: {y: eA==}")))
	_, want := New(given, manifest.DefaultLimits())
	if want == nil {
		t.Fatal("no error")
	}
	for seed := range int64(50) {
		shuffle(rand.New(rand.NewSource(seed)), given)
		_, got := New(given, manifest.DefaultLimits())
		if got == nil || got.Error() != want.Error() {
			t.Fatalf("seed %d:\n%v\nwant\n%v", seed, got, want)
		}
	}
}

// mixed returns two phases with every step and with repeated objects.
func mixed(t *testing.T) []Input {
	t.Helper()
	return []Input{
		phase(t, "a",
			object("v1", "Namespace", "n")+object("v1", "Secret", "n/s")+object("apps/v1", "Deployment", "n/d"),
			object("v1", "Namespace", "n")+crd("things", "Namespaced", "v1")+
				object("v1", "ServiceAccount", "n/a")+object("rbac.authorization.k8s.io/v1", "Role", "n/r"),
			object("example.org/v1", "Thing", "n/t")+object("other.org/v1", "Other", "o")),
		phase(t, "b",
			object("v1", "Secret", "n/s")+object("apiregistration.k8s.io/v1", "APIService", "v1.x"),
			object("example.org/v1", "Thing", "n/u")+object("example.org/v1", "Thing", "n/t")),
	}
}

// shuffle permutes the sources of each phase and the entries of each source.
func shuffle(random *rand.Rand, phases []Input) {
	for _, phase := range phases {
		random.Shuffle(len(phase.Blobs), func(i, j int) {
			phase.Blobs[i], phase.Blobs[j] = phase.Blobs[j], phase.Blobs[i]
		})
		for _, blob := range phase.Blobs {
			random.Shuffle(len(blob.Entries), func(i, j int) {
				blob.Entries[i], blob.Entries[j] = blob.Entries[j], blob.Entries[i]
			})
		}
	}
}

func TestNewDoesNotChangeItsInput(t *testing.T) {
	t.Parallel()
	given := []Input{phase(t, "a", object("v1", "ConfigMap", "c")+object("v1", "Namespace", "x/n"))}
	if _, err := New(given, manifest.DefaultLimits()); err != nil {
		t.Fatal(err)
	}
	entries := given[0].Blobs[0].Entries
	if entries[0].Namespace != "" || entries[1].Namespace != "x" {
		t.Errorf("entries = %v", entries)
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	workload := "spec: {template: {spec: {containers: [{image: b}], initContainers: [{image: a}]}}}"
	given := []Input{
		phase(t, "a", crd("things", "Cluster", "v1")+object("apps/v1", "Deployment", "n/d", workload)),
		phase(t, "b", object("apps/v1", "DaemonSet", "n/e", workload)),
	}
	plan, err := New(given, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	var bytes int64
	for _, phase := range given {
		for _, e := range phase.Blobs[0].Entries {
			bytes += e.Length
		}
	}
	if plan.Objects() != 3 || plan.CRDs() != 1 || plan.Bytes() != bytes {
		t.Errorf("%d objects, %d crds, %d bytes, want 3, 1, %d", plan.Objects(), plan.CRDs(), plan.Bytes(), bytes)
	}
	if diff := cmp.Diff([]string{"a", "b"}, plan.Images()); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}
