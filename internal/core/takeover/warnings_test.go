package takeover

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

func TestNewWarnsAboutWhatWillBeDifferent(t *testing.T) {
	t.Parallel()
	opaque, binary, missing := secret("opaque", second), config("binary", second), config("missing")
	opaque.Type, binary.Binary, missing.Found = "Opaque", true, false
	tests := map[string]struct {
		given Given
		edit  func(*Given)
		want  []string
	}{
		"nothing": {given: cni("Reconcile", config("a", first))},
		"a strategy that upgrades nothing": {
			given: cni("", config("a", first)), want: []string{"--strategy Reconcile"},
		},
		"what is left out": {
			given: cni("Reconcile", config("a", first), opaque, missing, config("empty")),
			want:  []string{"Secret opaque is of the type Opaque", "ConfigMap missing does not exist", "ConfigMap empty has no data"},
		},
		"keys that Cluster API does not read": {
			given: cni("Reconcile", binary), want: []string{"ConfigMap binary has binaryData"},
		},
		"what was never applied": {
			given: cni("Reconcile", config("a", first)), edit: func(g *Given) { g.Bindings = nil },
			want: []string{"ConfigMap a was not applied by the ClusterResourceSet on berlin"},
		},
		"what could not be applied": {
			given: cni("Reconcile", config("a", first)),
			edit:  func(g *Given) { g.Bindings[0].Spec.Bindings[1].Resources[0].Applied = new(false) },
			want:  []string{"ConfigMap a was not applied by the ClusterResourceSet on berlin"},
		},
		"another content": {
			given: cni("Reconcile", config("a", first)),
			edit:  func(g *Given) { g.Resources[0].Values["0.yaml"] = []byte(other) },
			want:  []string{"ConfigMap a was applied with another content on berlin"},
		},
		"a resource of two": {
			given: cni("Reconcile", config("a", first)),
			edit: func(g *Given) {
				also := *g.ClusterResourceSet.DeepCopy()
				also.Name = "also"
				g.Others = append(g.Others, also)
			},
			want: []string{"ConfigMap a is also applied by ClusterResourceSet also"},
		},
		"a pause": {
			given: cni("Reconcile", config("a", first)),
			edit: func(g *Given) {
				g.ClusterResourceSet.Annotations = map[string]string{clusterv1.PausedAnnotation: "true"}
			},
			want: []string{"the ClusterResourceSet is paused"},
		},
		"a Cluster that is paused": {
			given: cni("Reconcile", config("a", first)), edit: func(g *Given) { g.Clusters[0].Spec.Paused = new(true) },
			want: []string{"Cluster berlin"},
		},
		"another set": {
			given: cni("Reconcile", config("a", first)),
			edit: func(g *Given) {
				for _, name := range []string{"cni", "logging"} {
					g.Sets = append(g.Sets, v1alpha1.ClusterBundleSet{
						ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.ClusterBundleSetSpec{ClusterSelector: selector},
					})
				}
			},
			want: []string{"ClusterBundleSet logging, too"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.edit != nil {
				test.edit(&test.given)
			}
			p, err := New(test.given, once, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Warnings) != len(test.want) {
				t.Fatalf("want %q, got %q", test.want, p.Warnings)
			}
			for i, want := range test.want {
				if !strings.Contains(p.Warnings[i], want) {
					t.Errorf("want %q, got %q", want, p.Warnings[i])
				}
			}
		})
	}
}

func TestABinaryConfigMapHasItsKeysNamed(t *testing.T) {
	t.Parallel()
	r := config("a", first, second)
	r.Binary = true
	diff(t, v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "a", Keys: []string{"0.yaml", "1.yaml"}}}, sourceOf(r))
}

func TestBlockers(t *testing.T) {
	t.Parallel()
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Name: "cni", UID: "1"}}
	owned := config("a", first)
	owned.Owners = []metav1.OwnerReference{{Kind: "ClusterResourceSet", UID: "0"}, {Kind: "Bundle", UID: "1"}}
	ready := v1alpha1.ClusterBundle{
		ObjectMeta: metav1.ObjectMeta{Name: "cni-berlin", Generation: 1},
		Spec:       v1alpha1.ClusterBundleSpec{SetName: "cni", ClusterName: "berlin"},
		Status: v1alpha1.ClusterBundleStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{
			{Type: v1alpha1.ReadyCondition, Status: metav1.ConditionTrue},
		}},
	}
	waiting, stale, ofAnother := *ready.DeepCopy(), *ready.DeepCopy(), *ready.DeepCopy()
	waiting.Status.Conditions[0].Status, waiting.Status.Conditions[0].Message = metav1.ConditionFalse, "phase crds"
	stale.Status = v1alpha1.ClusterBundleStatus{}
	ofAnother.Spec.SetName = "other"
	all := func(cbs ...v1alpha1.ClusterBundle) []v1alpha1.ClusterBundle { return cbs }
	tests := map[string]struct {
		given     Given
		bundle    *v1alpha1.Bundle
		delivered []v1alpha1.ClusterBundle
		unbound   bool
		want      []string
	}{
		"none":                         {given: cni("", owned), bundle: bundle, delivered: all(ready)},
		"no Bundle":                    {given: cni("", owned), want: []string{"Bundle cni does not exist"}},
		"a source that would go":       {given: cni("", config("a", first)), bundle: bundle, delivered: all(ready), want: []string{"ConfigMap a is not owned"}},
		"a Cluster without one":        {given: cni("", owned), bundle: bundle, delivered: all(ofAnother), want: []string{"Cluster berlin: it has no ClusterBundle"}},
		"a Cluster that nothing is on": {given: cni("", owned), bundle: bundle, unbound: true},
		"a Cluster that waits":         {given: cni("", owned), bundle: bundle, delivered: all(waiting), want: []string{"cni-berlin is not Ready: phase crds"}},
		"a Cluster without a status":   {given: cni("", owned), bundle: bundle, delivered: all(stale), want: []string{"cni-berlin is not Ready"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if test.unbound {
				test.given.Bindings = []addonsv1.ClusterResourceSetBinding{{}}
			}
			p, err := New(test.given, once, manifest.DefaultLimits())
			if err != nil {
				t.Fatal(err)
			}
			got := p.Blockers(test.given, test.bundle, test.delivered)
			if len(got) != len(test.want) || len(got) > 0 && !strings.Contains(got[0], test.want[0]) {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}
