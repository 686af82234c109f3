package clusterbundleset

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// dependent returns a set of the namespace default that depends on others.
func dependent(name string, dependsOn ...string) v1alpha1.ClusterBundleSet {
	set := v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	for _, other := range dependsOn {
		set.Spec.DependsOn = append(set.Spec.DependsOn, v1alpha1.SetReference{Name: other})
	}
	return set
}

func TestTheDependenciesOfASet(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given       v1alpha1.ClusterBundleSet
		givenOthers []v1alpha1.ClusterBundleSet
		wantClass   fault.Class
		wantReason  string
		want        string // empty if nothing is wrong with them
	}{
		"there are none": {given: dependent("cni")},
		"they are there": {given: dependent("logging", "cni"), givenOthers: []v1alpha1.ClusterBundleSet{dependent("cni")}},
		"one of a cycle is told": {
			dependent("logging", "cni"), []v1alpha1.ClusterBundleSet{dependent("cni", "logging")},
			fault.ClassStall, v1alpha1.DependencyCycleReason, "the sets wait for each other: cni -> logging -> cni",
		},
		"a cycle before what does not exist": {
			dependent("cni", "gone", "logging"), []v1alpha1.ClusterBundleSet{dependent("logging", "cni")},
			fault.ClassStall, v1alpha1.DependencyCycleReason, "the sets wait for each other: cni -> logging -> cni",
		},
		"one that only depends on a cycle waits": {
			given: dependent("apps", "logging"), givenOthers: []v1alpha1.ClusterBundleSet{dependent("cni", "logging"), dependent("logging", "cni")},
		},
		"those that do not exist": {
			dependent("apps", "dns", "cni", "logging"), []v1alpha1.ClusterBundleSet{dependent("logging")},
			fault.ClassWait, v1alpha1.DependencyNotReadyReason,
			"depends on ClusterBundleSet cni, which does not exist; depends on ClusterBundleSet dns, which does not exist",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := checkDependencies(&test.given, append(test.givenOthers, test.given))
			if test.want == "" {
				if err != nil {
					t.Errorf("want nothing wrong, got %v", err)
				}
				return
			}
			faulttest.WantMessage(t, err, test.wantClass, test.wantReason, test.want)
		})
	}
}

func TestASetLeadsToThoseThatDependOnOthers(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	cni, apps, logging := dependent("cni"), dependent("apps", "logging"), dependent("logging", "cni")
	elsewhere := dependent("elsewhere", "cni")
	elsewhere.Namespace = "other"
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(&cni, &apps, &logging, &elsewhere).Build()}
	got := r.setToDependents(t.Context(), &cni)
	if want := []types.NamespacedName{{Namespace: "default", Name: "apps"}, {Namespace: "default", Name: "logging"}}; !slices.Equal(got, want) {
		t.Errorf("want %v, got %v", want, got)
	}
}

func TestWhenTheDependenciesOfOthersAreLookedAt(t *testing.T) {
	t.Parallel()
	before, labelled, other := dependent("logging", "cni"), dependent("logging", "cni"), dependent("logging", "dns")
	labelled.Labels, labelled.Generation = map[string]string{"a": "b"}, 2
	changed := dependsOnChanged()
	if changed.Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: &labelled}) {
		t.Error("want a change of something else kept back")
	}
	if !changed.Update(event.UpdateEvent{ObjectOld: &before, ObjectNew: &other}) {
		t.Error("want a change of what a set depends on let through")
	}
	if !changed.Create(event.CreateEvent{Object: &before}) || !changed.Delete(event.DeleteEvent{Object: &before}) {
		t.Error("want a set that is new or gone let through")
	}
}
