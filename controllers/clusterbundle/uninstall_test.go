package clusterbundle

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// uninstalled returns the ClusterBundle of the set cni for the Cluster prod, which is
// being deleted with what it applied, after the given changes.
func uninstalled(changes ...func(*v1alpha1.ClusterBundle)) *v1alpha1.ClusterBundle {
	return bundleOf("cni", "prod", append([]func(*v1alpha1.ClusterBundle){func(cb *v1alpha1.ClusterBundle) {
		cb.Finalizers = []string{v1alpha1.UninstallFinalizer}
		cb.DeletionTimestamp = new(metav1.NewTime(noon))
		cb.Spec.DeletionPolicy = v1alpha1.DeleteDeletionPolicy
		cb.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: clusterv1.GroupVersion.String(), Kind: clusterv1.ClusterKind, Name: "prod", UID: "prod",
		}}
	}}, changes...)...)
}

// begun is of an uninstall whose beginning is in the status.
func begun(cb *v1alpha1.ClusterBundle) {
	status.SetCondition(cb, v1alpha1.DeletingCondition, true, v1alpha1.RemovingReason, "")
}

func movedByClusterctl(cb *v1alpha1.ClusterBundle) {
	cb.Annotations = map[string]string{"clusterctl.cluster.x-k8s.io/delete-for-move": ""}
}

func retaining(cb *v1alpha1.ClusterBundle)    { cb.Spec.DeletionPolicy = v1alpha1.RetainDeletionPolicy }
func deletingCRDs(cb *v1alpha1.ClusterBundle) { cb.Spec.CRDs = v1alpha1.DeleteCRDPolicy }
func disowned(cb *v1alpha1.ClusterBundle)     { cb.OwnerReferences = nil }
func identified(c *clusterv1.Cluster)         { c.UID = "prod" }
func labelled(c *clusterv1.Cluster)           { c.Labels = map[string]string{"cni": "calico"} }
func heldSet(set *v1alpha1.ClusterBundleSet)  { held(set) }

// selecting returns the set cni with the policy Delete, which selects Clusters with
// the label cni: calico, after the given changes.
func selecting(changes ...func(*v1alpha1.ClusterBundleSet)) *v1alpha1.ClusterBundleSet {
	return setNamed(append([]func(*v1alpha1.ClusterBundleSet){func(set *v1alpha1.ClusterBundleSet) {
		set.Spec.DeletionPolicy = v1alpha1.DeleteDeletionPolicy
		set.Spec.ClusterSelector.MatchLabels = map[string]string{"cni": "calico"}
	}}, changes...)...)
}

func suspendedSet(set *v1alpha1.ClusterBundleSet) { set.Spec.Suspend = new(true) }
func retainingSet(set *v1alpha1.ClusterBundleSet) {
	set.Spec.DeletionPolicy = v1alpha1.RetainDeletionPolicy
}
func annotatedSet(set *v1alpha1.ClusterBundleSet) {
	set.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
}
func brokenSelector(set *v1alpha1.ClusterBundleSet) { set.Spec.ClusterSelector.MatchLabels = nil }

// emptyCluster is a workload cluster that has nothing, and counts its requests.
func emptyCluster(t *testing.T) (*rest.Config, *atomic.Int32) {
	t.Helper()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}, &requests
}

func TestWhoIsLetGoAndWhoWaitsWhenAClusterBundleIsDeleted(t *testing.T) {
	t.Parallel()
	const nothingMore = ": nothing more is removed from the workload cluster"
	const hasAnnotation = " has the cluster.x-k8s.io/paused annotation"
	cluster := func(changes ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
		return prepared(append([]func(*clusterv1.Cluster){identified}, changes...)...)
	}
	another := cluster(func(c *clusterv1.Cluster) { c.UID = "another" })
	tests := map[string]struct {
		given *v1alpha1.ClusterBundle
		with  []client.Object
		want  string // event of one that is gone, else status, reason and message of Ready
	}{
		"everything is removed": {uninstalled(begun), []client.Object{cluster()}, "Normal Uninstalled Cluster prod has no inventory of the set: nothing was removed"},
		"it begins with the status": {
			uninstalled(), []client.Object{cluster()}, "False Removing: what was applied is to be removed",
		},
		"the Cluster is gone": {uninstalled(begun), nil, "Normal NotUninstalled Cluster prod is gone" + nothingMore},
		"the Cluster was made anew": {
			uninstalled(begun), []client.Object{another}, "Normal NotUninstalled Cluster prod is gone" + nothingMore,
		},
		"the Cluster was made anew after its owner reference was collected": {
			uninstalled(begun, disowned), []client.Object{another}, "Normal NotUninstalled Cluster prod is gone" + nothingMore,
		},
		"the Cluster is being deleted": {
			uninstalled(begun), []client.Object{cluster(heldCluster)},
			"Normal NotUninstalled Cluster prod is being deleted" + nothingMore,
		},
		"the Cluster is being deleted and paused": {
			uninstalled(begun), []client.Object{cluster(heldCluster, pausedBySpec)},
			"Normal NotUninstalled Cluster prod is being deleted" + nothingMore,
		},
		"clusterctl moved it": {
			uninstalled(begun, movedByClusterctl), []client.Object{cluster(pausedBySpec)},
			"Normal NotUninstalled the ClusterBundle was moved to another management cluster" + nothingMore,
		},
		"the Cluster was paused before": {
			uninstalled(), []client.Object{cluster(pausedBySpec)},
			"Normal NotUninstalled the ClusterBundle was deleted while it, its Cluster or its set was paused" + nothingMore,
		},
		"the set was paused before": {
			uninstalled(), []client.Object{cluster(), selecting(annotatedSet)},
			"Normal NotUninstalled the ClusterBundle was deleted while it, its Cluster or its set was paused" + nothingMore,
		},
		"the ClusterBundle was paused before": {
			uninstalled(pausedByAnnotation), []client.Object{cluster()},
			"Normal NotUninstalled the ClusterBundle was deleted while it, its Cluster or its set was paused" + nothingMore,
		},
		"the Cluster is paused since":       {uninstalled(begun), []client.Object{cluster(pausedBySpec)}, "False Paused: Cluster spec.paused is set to true"},
		"the set is paused since":           {uninstalled(begun), []client.Object{cluster(), selecting(annotatedSet)}, "False Paused: ClusterBundleSet" + hasAnnotation},
		"the ClusterBundle is paused since": {uninstalled(begun, pausedByAnnotation), []client.Object{cluster()}, "False Paused: ClusterBundle" + hasAnnotation},
		"the set has the policy Retain now": {
			uninstalled(begun), []client.Object{cluster(), selecting(retainingSet)},
			"Normal NotUninstalled the deletionPolicy is no longer Delete" + nothingMore,
		},
		"somebody set the policy Retain after the set was gone": {
			uninstalled(begun, retaining), []client.Object{cluster()},
			"Normal NotUninstalled the deletionPolicy is no longer Delete" + nothingMore,
		},
		"it was deleted by hand": {
			uninstalled(), []client.Object{cluster(labelled), selecting()},
			"Normal NotUninstalled ClusterBundleSet cni selects Cluster prod" + nothingMore,
		},
		"the Cluster is opted in again": {
			uninstalled(begun), []client.Object{cluster(labelled), selecting()},
			"Normal NotUninstalled ClusterBundleSet cni selects Cluster prod" + nothingMore,
		},
		"the set selects but is being deleted": {
			uninstalled(begun), []client.Object{cluster(labelled), selecting(heldSet)},
			"Normal Uninstalled Cluster prod has no inventory of the set: nothing was removed",
		},
		"nobody knows what the set selects": {
			uninstalled(begun), []client.Object{cluster(labelled), selecting(brokenSelector)},
			"False SelectorInvalid: clusterSelector is empty: name at least one label",
		},
		"the set is suspended": {
			uninstalled(begun), []client.Object{cluster(), selecting(suspendedSet)},
			"False Suspended: ClusterBundleSet cni is suspended",
		},
		"the set is no longer suspended": {
			uninstalled(begun, suspendedBySet), []client.Object{cluster(), selecting()},
			"Normal Uninstalled Cluster prod has no inventory of the set: nothing was removed",
		},
		"the set was suspended when it went": {
			uninstalled(begun, suspendedBySet), []client.Object{cluster()},
			"False Suspended: ClusterBundleSet cni is suspended and gone: set spec.suspend of the ClusterBundle to false",
		},
		"the control plane is not up": {
			uninstalled(), []client.Object{cluster(notInitialized)},
			"False ControlPlaneNotInitialized: the control plane of Cluster prod is not initialized yet",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, requests := emptyCluster(t)
			recorder := events.NewFakeRecorder(10)
			r := reconcilerOf(t, cfg, append(slices.Clone(tc.with), tc.given)...)
			r.Status = status.NewWriter(r.Client, recorder, clock.RealClock{})
			got := reconciled(t, r, recorder, client.ObjectKeyFromObject(tc.given))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			removes := tc.want == "Normal Uninstalled Cluster prod has no inventory of the set: nothing was removed"
			if asked := requests.Load() > 0; asked != removes {
				t.Errorf("want the workload cluster asked: %t, got %d requests", removes, requests.Load())
			}
		})
	}
}

// reconciled reconciles a ClusterBundle once and returns the event of one that is
// gone then, else what its condition Ready says.
func reconciled(t *testing.T, r *Reconciler, recorder *events.FakeRecorder, key client.ObjectKey) string {
	t.Helper()
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
		t.Fatal(err)
	}
	after := &v1alpha1.ClusterBundle{}
	err := r.Client.Get(t.Context(), key, after)
	if apierrors.IsNotFound(err) {
		return <-recorder.Events
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := statuses(after)[v1alpha1.DeletingCondition]; got == "" || !hasBegun(after) {
		t.Errorf("want the condition Deleting, got %q", got)
	}
	return statuses(after)[v1alpha1.ReadyCondition]
}

func TestAnUninstallWaitsForTheConnection(t *testing.T) {
	t.Parallel()
	recorder := events.NewFakeRecorder(10)
	r := reconcilerOf(t, nil, prepared(identified), uninstalled(begun))
	r.Status = status.NewWriter(r.Client, recorder, clock.RealClock{})
	got := reconciled(t, r, recorder, client.ObjectKeyFromObject(uninstalled()))
	want := "False ClusterNotConnected: what was applied is still to be removed: " +
		"the workload cluster is not connected: its API server cannot be reached yet: " +
		"Secret prod-kubeconfig does not exist, or lacks the label cluster.x-k8s.io/cluster-name"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnUninstallBeginsAndEnds(t *testing.T) {
	t.Parallel()
	cfg, _ := emptyCluster(t)
	cb := uninstalled()
	cb.Finalizers = append(cb.Finalizers, "example.com/theirs")
	r := reconcilerOf(t, cfg, prepared(identified), cb)
	key := client.ObjectKeyFromObject(cb)
	r.holds.keep(key, func() func() { return func() {} })
	remembered := r.memories.of(cb, nil).passes
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if len(r.holds.releases) > 0 || r.memories.byKey[key].passes == remembered {
			t.Error("want nothing kept that only a pass needs")
		}
	}
	if err := r.Client.Get(t.Context(), key, cb); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"example.com/theirs"}, cb.Finalizers); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}
}

func TestARemovalStopsBeforeItsNextWrite(t *testing.T) {
	t.Parallel()
	const nothingMore = ": nothing more is removed from the workload cluster"
	cluster := func(changes ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
		return prepared(append([]func(*clusterv1.Cluster){identified}, changes...)...)
	}
	tests := map[string]struct {
		given       []client.Object // that are there while it is under way
		wantMessage string
	}{
		"not while nothing changes":   {[]client.Object{cluster(), uninstalled(deletingCRDs)}, ""},
		"when the Cluster is paused":  {[]client.Object{cluster(pausedBySpec), uninstalled()}, "Cluster spec.paused is set to true"},
		"when the Cluster is gone":    {[]client.Object{uninstalled()}, "Cluster prod is gone" + nothingMore},
		"when the Cluster is deleted": {[]client.Object{cluster(heldCluster), uninstalled()}, "Cluster prod is being deleted" + nothingMore},
		"when the Cluster is opted in again": {
			[]client.Object{cluster(labelled), uninstalled(), selecting()}, "ClusterBundleSet cni selects Cluster prod" + nothingMore,
		},
		"when the set is suspended": {
			[]client.Object{cluster(), uninstalled(), selecting(suspendedSet)}, "ClusterBundleSet cni is suspended",
		},
		"when CustomResourceDefinitions are to stay": {
			[]client.Object{cluster(), uninstalled(deletingCRDs), selecting()}, "crds is another: the pass was ended",
		},
		"when the ClusterBundle is gone": {[]client.Object{cluster()}, "the ClusterBundle is gone: the pass was ended"},
		"when the ClusterBundle is another one": {
			[]client.Object{cluster(), uninstalled(anotherClusterBundle)}, "the ClusterBundle is gone: the pass was ended",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerOf(t, nil, tc.given...)
			got, err := "", r.removalGuard(t.Context(), uninstalled(begun), v1alpha1.DeleteCRDPolicy)()
			if err != nil {
				got = err.Error()
			}
			if errors.Is(err, errLetGo) {
				t.Error("want it left to the next reconcile to let go: by then it may be otherwise")
			}
			if diff := cmp.Diff(tc.wantMessage, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabelsOfAClusterLeadToWhatIsUninstalledFromIt(t *testing.T) {
	t.Parallel()
	r := reconcilerOf(t, nil, prepared(), uninstalled(), bundleOf("csi", "prod"))
	want := []ctrl.Request{{NamespacedName: client.ObjectKeyFromObject(uninstalled())}}
	if diff := cmp.Diff(want, r.toUninstalls(t.Context(), prepared())); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
