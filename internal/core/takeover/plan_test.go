package takeover

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

const (
	first  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first, namespace: default}\ndata: {a: one}\n"
	second = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: second, namespace: default}\ndata: {a: two}\n"
	other  = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: first, namespace: default}\ndata: {a: other}\n"
)

var selector = metav1.LabelSelector{MatchLabels: map[string]string{"cni": "calico"}}

// cni is a ClusterResourceSet with the resources, each applied as it is on the Cluster berlin.
func cni(strategy string, resources ...Resource) Given {
	crs := addonsv1.ClusterResourceSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "cni"},
		Spec:       addonsv1.ClusterResourceSetSpec{ClusterSelector: selector, Strategy: strategy},
	}
	binding := addonsv1.ResourceSetBinding{ClusterResourceSetName: "cni"}
	for _, r := range resources {
		crs.Spec.Resources = append(crs.Spec.Resources, r.ResourceRef)
		binding.SetBinding(addonsv1.ResourceBinding{ResourceRef: r.ResourceRef, Hash: sumOf(r), Applied: new(true)})
	}
	return Given{
		ClusterResourceSet: &crs, Resources: resources, Others: []addonsv1.ClusterResourceSet{crs},
		Clusters: []clusterv1.Cluster{cluster("berlin", "calico"), cluster("paris", "cilium")},
		Bindings: []addonsv1.ClusterResourceSetBinding{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "berlin"},
			Spec:       addonsv1.ClusterResourceSetBindingSpec{Bindings: []addonsv1.ResourceSetBinding{{ClusterResourceSetName: "x"}, binding}},
		}},
	}
}

func cluster(name, cni string) clusterv1.Cluster {
	return clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: "team", Name: name, Labels: map[string]string{"cni": cni},
	}}
}

func config(name string, values ...string) Resource { return resource("ConfigMap", name, "", values) }

func secret(name string, values ...string) Resource {
	return resource("Secret", name, addonsv1.ClusterResourceSetSecretType, values)
}

func resource(kind, name string, secretType corev1.SecretType, values []string) Resource {
	r := Resource{
		ResourceRef: addonsv1.ResourceRef{Kind: kind, Name: name}, Found: true, Type: secretType, Values: map[string][]byte{},
	}
	for i, value := range values {
		r.Values[fmt.Sprintf("%d.yaml", i)] = []byte(value)
	}
	return r
}

var once = Options{Version: "1.0.0"}

func TestNewWritesABundleAndASet(t *testing.T) {
	t.Parallel()
	p, err := New(cni("Reconcile", config("crds", first), secret("operator", second, first)), once, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	diff(t, `apiVersion: addons.cluster.x-k8s.io/v1alpha1
kind: Bundle
metadata:
  name: cni
  namespace: team
spec:
  releases:
  - phases:
    - name: resources
      sources:
      - configMap:
          name: crds
      - secret:
          name: operator
    version: 1.0.0
`, asYAML(t, p.Bundle))
	diff(t, `apiVersion: addons.cluster.x-k8s.io/v1alpha1
kind: ClusterBundleSet
metadata:
  name: cni
  namespace: team
spec:
  bundle:
    name: cni
  clusterSelector:
    matchLabels:
      cni: calico
  strategy: Reconcile
`, asYAML(t, p.Set))
	diff(t, []string(nil), p.Warnings)
	diff(t, []string{"berlin"}, names(p.Clusters))
	var objects []string
	for _, o := range p.Objects {
		objects = append(objects, o.Ref.String())
		if !strings.Contains(string(o.JSON), `"name":"`+o.Name+`"`) {
			t.Errorf("%s has the JSON %s", o.Ref, o.JSON)
		}
	}
	diff(t, []string{"ConfigMap default/first", "ConfigMap default/second"}, objects)
}

func TestNewCarriesOverWhatManagersGoBy(t *testing.T) {
	t.Parallel()
	g := cni("", config("crds", first))
	g.ClusterResourceSet.Labels = map[string]string{clusterv1.WatchLabel: "blue", "kustomize.toolkit.fluxcd.io/name": "apps"}
	g.ClusterResourceSet.Annotations = map[string]string{clusterv1.PausedAnnotation: "", "team": "a"}
	p, err := New(g, Options{Name: "calico", Version: "v3.32.1", Strategy: "Reconcile"}, manifest.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	watched := map[string]string{clusterv1.WatchLabel: "blue"}
	diff(t, metav1.ObjectMeta{Namespace: "team", Name: "calico", Labels: watched}, p.Bundle.ObjectMeta)
	diff(t, metav1.ObjectMeta{
		Namespace: "team", Name: "calico", Labels: watched, Annotations: map[string]string{clusterv1.PausedAnnotation: ""},
	}, p.Set.ObjectMeta)
	diff(t, "v3.32.1", p.Bundle.Spec.Releases[0].Version)
	diff(t, "calico", p.Set.Spec.Bundle.Name)
	diff(t, v1alpha1.ReconcileStrategy, p.Set.Spec.Strategy)
}

func TestNewKeepsOnePhaseAsLongAsItCan(t *testing.T) {
	t.Parallel()
	var all []Resource
	for i := range 40 {
		all = append(all, config(fmt.Sprintf("r%02d", i), strings.ReplaceAll(first, "first", fmt.Sprintf("o%02d", i))))
	}
	for n, want := range map[int][]int{32: {32}, 40: {32, 8}} {
		p, err := New(cni("Reconcile", all[:n]...), once, manifest.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, phase := range p.Bundle.Spec.Releases[0].Phases {
			got = append(got, len(phase.Sources))
		}
		diff(t, want, got)
		if len(p.Objects) != n {
			t.Errorf("%d resources have %d objects", n, len(p.Objects))
		}
		if warned := len(p.Warnings) > 0; warned != (len(want) > 1) {
			t.Errorf("%d phases: warned: %t", len(want), warned)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given   Given
		options Options
		edit    func(*addonsv1.ClusterResourceSet)
		want    string
	}{
		"a name that no set may have": {given: cni("", config("a", first)), options: Options{Version: "1.0.0", Name: strings.Repeat("a", 64)}, want: "--name"},
		"a name that is none":         {given: cni("", config("a", first)), options: Options{Version: "1.0.0", Name: "A"}, want: "lowercase"},
		"a version that is none":      {given: cni("", config("a", first)), options: Options{Version: "1.0"}, want: "semantic version"},
		"a version that no set would choose": {
			given: cni("", config("a", first)), options: Options{Version: "1.0.0-rc.1"}, want: "stable",
		},
		"a strategy that is none":     {given: cni("Sometimes", config("a", first)), options: once, want: "Reconcile or ApplyOnce"},
		"a set without anything":      {given: cni("", config("a")), options: once, want: "names nothing"},
		"what cannot be read":         {given: cni("", config("a", "a: [")), options: once, want: "ConfigMap a key 0.yaml, document 1"},
		"an object without a kind":    {given: cni("", config("a", "apiVersion: v1\nmetadata: {name: a}\n")), options: once, want: "kind"},
		"an object with two contents": {given: cni("", config("a", first), secret("b", other)), options: once, want: "different content: ConfigMap a key 0.yaml, document 1 (line 1); Secret b"},
		"a selector that is wrong": {given: cni("", config("a", first)), options: once, want: "clusterSelector", edit: func(crs *addonsv1.ClusterResourceSet) {
			crs.Spec.ClusterSelector.MatchLabels = map[string]string{"?": ""}
		}},
		"a selector that selects nobody": {given: cni("", config("a", first)), options: once, want: "empty", edit: func(crs *addonsv1.ClusterResourceSet) { crs.Spec.ClusterSelector = metav1.LabelSelector{} }},
		"one that is being deleted":      {given: cni("", config("a", first)), options: once, want: "being deleted", edit: func(crs *addonsv1.ClusterResourceSet) { crs.DeletionTimestamp = new(metav1.Now()) }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.edit != nil {
				test.edit(test.given.ClusterResourceSet)
			}
			_, err := New(test.given, test.options, manifest.DefaultLimits())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("want an error with %q, got %v", test.want, err)
			}
		})
	}
}

func names(clusters []clusterv1.Cluster) []string {
	var all []string
	for _, c := range clusters {
		all = append(all, c.Name)
	}
	return all
}

func asYAML(t *testing.T, object any) string {
	t.Helper()
	text, err := yaml.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func diff(t *testing.T, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
