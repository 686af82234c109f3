package placement

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func deletingSet(set *v1alpha1.ClusterBundleSet) {
	set.Spec.DeletionPolicy, set.Spec.CRDs = v1alpha1.DeleteDeletionPolicy, v1alpha1.DeleteCRDPolicy
}

func unselected(cluster *clusterv1.Cluster) { cluster.Labels = nil }

func pausedCluster(cluster *clusterv1.Cluster) { cluster.Spec.Paused = new(true) }

func uninstalls(cb *v1alpha1.ClusterBundle) {
	cb.Finalizers = append(cb.Finalizers, v1alpha1.UninstallFinalizer)
	cb.Spec.DeletionPolicy, cb.Spec.CRDs = v1alpha1.DeleteDeletionPolicy, v1alpha1.DeleteCRDPolicy
}

// held is of an object that is being deleted: somebody's finalizer is on it.
func held[O metav1.Object](object O) {
	object.SetFinalizers(append(object.GetFinalizers(), "example.com/held"))
	object.SetDeletionTimestamp(new(metav1.Now()))
}

func pausedByAnnotation(cb *v1alpha1.ClusterBundle) {
	cb.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
}

// changed returns the object after the changes.
func changed[O any](object O, changes ...func(O)) O {
	for _, change := range changes {
		change(object)
	}
	return object
}

// removals returns what every ClusterBundle holds of its removal.
func removals(t *testing.T, r *Reconciler) []string {
	t.Helper()
	list := &v1alpha1.ClusterBundleList{}
	if err := r.Client.List(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range list.Items {
		cb := &list.Items[i]
		state := "lives"
		if isTerminating(cb) {
			state = "is deleted"
		}
		all = append(all, fmt.Sprintf("%s %s %s %s", cb.Spec.DeletionPolicy, cb.Spec.CRDs, cb.Finalizers, state))
	}
	return all
}

func TestWhatAClusterBundleAppliedIsRemovedBeforeItIsGone(t *testing.T) {
	t.Parallel()
	const finalizer = "[addons.cluster.x-k8s.io/uninstall]"
	pinned := func(changes ...func(*v1alpha1.ClusterBundle)) *v1alpha1.ClusterBundle {
		cb := pinnedTo("1.0.0", v1alpha1.ReconcileStrategy)
		cb.Spec.DeletionPolicy, cb.Spec.CRDs = v1alpha1.RetainDeletionPolicy, v1alpha1.RetainCRDPolicy
		return changed(cb, changes...)
	}
	foreign := func(cb *v1alpha1.ClusterBundle) { cb.Finalizers = append(cb.Finalizers, "example.com/theirs") }
	retaining := func(set *v1alpha1.ClusterBundleSet) { set.Spec.CRDs = v1alpha1.RetainCRDPolicy }
	tests := map[string]struct {
		given []client.Object
		want  []string
	}{
		"a new one has the finalizer": {
			[]client.Object{changed(theSet("cni"), deletingSet), theCluster("prod")},
			[]string{"Delete Delete " + finalizer + " lives"},
		},
		"one of before gets it": {
			[]client.Object{changed(theSet("cni"), deletingSet), theCluster("prod"), pinned()},
			[]string{"Delete Delete " + finalizer + " lives"},
		},
		"it goes with the policy": {
			[]client.Object{changed(theSet("cni"), retaining), theCluster("prod"), pinned(uninstalls)},
			[]string{"Retain Retain [] lives"},
		},
		"finalizers of others stay": {
			[]client.Object{changed(theSet("cni"), retaining), theCluster("prod"), pinned(foreign, uninstalls)},
			[]string{"Retain Retain [example.com/theirs] lives"},
		},
		"a Cluster that is opted out": {
			[]client.Object{changed(theSet("cni"), deletingSet), changed(theCluster("prod"), unselected), pinned(uninstalls)},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"a Cluster that is opted out right after the policy became Delete": {
			[]client.Object{changed(theSet("cni"), deletingSet), changed(theCluster("prod"), unselected), pinned()},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"a Cluster that is opted out right after the policy became Retain": {
			[]client.Object{changed(theSet("cni"), retaining), changed(theCluster("prod"), unselected), pinned(uninstalls)},
			nil,
		},
		"a set that is gone": {
			[]client.Object{theCluster("prod"), pinned(uninstalls)},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"a set that is being deleted": {
			[]client.Object{changed(theSet("cni"), deletingSet, held), theCluster("prod"), pinned(uninstalls)},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"a set that is gone while the Cluster is paused": {
			[]client.Object{changed(theCluster("prod"), pausedCluster), pinned(uninstalls)},
			[]string{"Delete Delete " + finalizer + " lives"},
		},
		"a set that is gone while the ClusterBundle is paused": {
			[]client.Object{theCluster("prod"), pinned(uninstalls, pausedByAnnotation)},
			[]string{"Delete Delete " + finalizer + " lives"},
		},
		"a Cluster that is being deleted while the ClusterBundle is paused": {
			[]client.Object{theSet("cni"), changed(theCluster("prod"), held), pinned(uninstalls, pausedByAnnotation)},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"a Cluster that is gone while the ClusterBundle is paused": {
			[]client.Object{theSet("cni"), pinned(uninstalls, pausedByAnnotation)},
			[]string{"Delete Delete " + finalizer + " is deleted"},
		},
		"one that is being deleted is left as it is, though the set changed": {
			[]client.Object{changed(theSet("cni"), retaining), theCluster("prod"), pinned(uninstalls, held)},
			[]string{"Delete Delete [addons.cluster.x-k8s.io/uninstall example.com/held] is deleted"},
		},
		"one that is being deleted is left as it is, though nothing selects": {
			[]client.Object{changed(theSet("cni"), retaining), changed(theCluster("prod"), unselected), pinned(uninstalls, held)},
			[]string{"Delete Delete [addons.cluster.x-k8s.io/uninstall example.com/held] is deleted"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, always{version: "v1.36.0"}, append(tc.given, calico("1.0.0"))...)
			// Twice: what is as it should be stays so.
			for range 2 {
				if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tc.want, removals(t, r)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestAClusterBundleIsMadeAnewWhenTheOneBeforeIsGone(t *testing.T) {
	t.Parallel()
	before := changed(pinnedTo("1.0.0", v1alpha1.ReconcileStrategy), uninstalls)
	before.UID, before.DeletionTimestamp = "before", new(metav1.Now())
	r := reconcilerWith(t, always{version: "v1.36.0"},
		changed(theSet("cni"), deletingSet), theCluster("prod"), calico("1.0.0", "1.1.0"), before)
	place := func() {
		if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
			t.Fatal(err)
		}
	}
	place()
	if diff := cmp.Diff(map[string]string{"cni-prod": "1.0.0"}, pins(t, r)); diff != "" {
		t.Errorf("while it is being deleted (-want +got):\n%s", diff)
	}
	if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(before), before); err != nil {
		t.Fatal(err)
	}
	before.Finalizers = nil
	if err := r.Client.Update(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	place()
	if diff := cmp.Diff(map[string]string{"cni-prod": "1.1.0"}, pins(t, r)); diff != "" {
		t.Errorf("when it is gone (-want +got):\n%s", diff)
	}
}
