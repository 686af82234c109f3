package cluster

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	runtimev1 "sigs.k8s.io/cluster-api/api/runtime/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

var controlPlaneKind = schema.GroupVersionKind{Group: "controlplane.cluster.x-k8s.io", Version: "v1beta2", Kind: "GenericControlPlane"}

// controlPlane is the control plane of prod at a version.
func controlPlane(version string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"version": version}}}
	u.SetGroupVersionKind(controlPlaneKind)
	u.SetNamespace("default")
	u.SetName("prod")
	return u
}

// asking is a Cluster whose topology asks for a version of Kubernetes.
func asking(version string) func(*clusterv1.Cluster) {
	return func(c *clusterv1.Cluster) {
		c.Spec.Topology.Version = version
		c.Spec.ControlPlaneRef = clusterv1.ContractVersionedObjectReference{
			APIGroup: controlPlaneKind.Group, Kind: controlPlaneKind.Kind, Name: "prod",
		}
	}
}

// held is a Cluster with the annotation that holds upgrades back.
func held(c *clusterv1.Cluster) {
	metav1.SetMetaDataAnnotation(&c.ObjectMeta, v1alpha1.UpgradeHookAnnotation, "")
}

// pendingHooks is a Cluster of which Cluster API notes hooks.
func pendingHooks(names string) func(*clusterv1.Cluster) {
	return func(c *clusterv1.Cluster) {
		metav1.SetMetaDataAnnotation(&c.ObjectMeta, runtimev1.PendingHooksAnnotation, names)
	}
}

func holding(s *v1alpha1.ClusterBundleSet) {
	s.Spec.KubernetesUpgrades = v1alpha1.HoldKubernetesUpgrades
}

// admitting is the ClusterBundle of a set whose release was chosen for a version.
func admitting(set, version string, admitted bool, change ...func(*v1alpha1.ClusterBundle)) *v1alpha1.ClusterBundle {
	cb := delivered(set, metav1.ConditionTrue, "")
	cb.Generation, cb.Status.ObservedGeneration = 3, 3
	cb.Spec.Version, cb.Spec.Digest = "1.0.0", "sha256:0"
	cb.Spec.KubernetesUpgrade = &v1alpha1.KubernetesUpgrade{Version: version, Admitted: &admitted}
	for _, c := range change {
		c(cb)
	}
	return cb
}

// notLookedAt is a ClusterBundle whose status is about an older spec.
func notLookedAt(cb *v1alpha1.ClusterBundle) { cb.Status.ObservedGeneration-- }

func unready(cb *v1alpha1.ClusterBundle) {
	cb.Status.Conditions[0].Status, cb.Status.Conditions[0].Message = metav1.ConditionFalse, "phase operator waits"
}

func behind(cb *v1alpha1.ClusterBundle) {
	cb.Status.Conditions = append(cb.Status.Conditions, metav1.Condition{
		Type: v1alpha1.UpToDateCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.KubernetesUpgradeHeldReason,
		Message: "release 1.0.0 stays: no release admits both",
	})
}

func TestUpgradesAreHeldBackUntilWhatIsReadyAdmitsThem(t *testing.T) {
	t.Parallel()
	const now, next = "v1.35.4", "v1.36.0"
	upgrading := func(change ...func(*clusterv1.Cluster)) *clusterv1.Cluster {
		return prod(append([]func(*clusterv1.Cluster){asking(next), held}, change...)...)
	}
	tests := map[string]struct {
		given     []client.Object
		wantHeld  bool
		wantState string
	}{
		"no set holds": {
			given: []client.Object{prod(asking(next)), set("cni"), admitting("cni", next, false)}, wantState: "True Ready",
		},
		"the Cluster has no topology": {
			given: []client.Object{prod(), set("cni", holding), delivered("cni", metav1.ConditionTrue, "")}, wantState: "True Ready",
		},
		"the Cluster has what it asks for: the next upgrade may be asked for at any time": {
			given: []client.Object{prod(asking(now)), controlPlane(now), set("cni", holding), admitting("cni", now, true)}, wantHeld: true, wantState: "True Ready",
		},
		"there is no control plane yet": {
			given:    []client.Object{prod(func(c *clusterv1.Cluster) { c.Spec.Topology.Version = now }), set("cni", holding), admitting("cni", now, true)},
			wantHeld: true, wantState: "True Ready",
		},
		"nothing was delivered yet": {
			given: []client.Object{upgrading(), controlPlane(now), set("cni", holding)}, wantHeld: true,
			wantState: "False NotReady the upgrade to Kubernetes v1.36.0 is held back by cni: has no release yet; cni: has no ClusterBundle yet",
		},
		"the choice for the version was not made yet": {
			given: []client.Object{upgrading(), controlPlane(now), set("cni", holding), admitting("cni", now, true)}, wantHeld: true,
			wantState: "True Ready the upgrade to Kubernetes v1.36.0 is held back by cni: no release that admits it is pinned yet",
		},
		"no release admits it": {
			given: []client.Object{upgrading(), controlPlane(now), set("cni", holding), admitting("cni", next, false, behind)}, wantHeld: true,
			wantState: "True Ready the upgrade to Kubernetes v1.36.0 is held back by cni: release 1.0.0 stays: no release admits both",
		},
		"one that does is on its way": {
			given: []client.Object{upgrading(), controlPlane(now), set("cni", holding), admitting("cni", next, true, unready)}, wantHeld: true,
			wantState: "False NotReady the upgrade to Kubernetes v1.36.0 is held back by cni: release 1.0.0, which admits it, is not Ready: " +
				"phase operator waits; cni: phase operator waits",
		},
		"it was Ready before it was chosen for that": {
			given: []client.Object{upgrading(), controlPlane(now), set("cni", holding), admitting("cni", next, true, notLookedAt)}, wantHeld: true,
			wantState: "True Ready the upgrade to Kubernetes v1.36.0 is held back by cni: release 1.0.0, which admits it, is not Ready: " +
				"it was not looked at since it was pinned",
		},
		"one of two sets does not admit it": {
			given: []client.Object{
				upgrading(), controlPlane(now), set("cni", holding), set("dns", holding),
				admitting("cni", next, true), admitting("dns", next, false),
			},
			wantHeld:  true,
			wantState: "True Ready the upgrade to Kubernetes v1.36.0 is held back by dns: no release that admits it is pinned yet",
		},
		"all that hold admit it": {
			given: []client.Object{
				upgrading(), controlPlane(now), set("cni", holding), set("dns", holding), set("logging"),
				admitting("cni", next, true), admitting("dns", next, true), admitting("logging", next, false),
			},
			wantState: "True Ready",
		},
		"the upgrade was let go and has not begun": {
			given: []client.Object{prod(asking(next)), controlPlane(now), set("cni", holding), admitting("cni", next, true)}, wantState: "True Ready",
		},
		"the upgrade has begun: the next one is held back": {
			given: []client.Object{
				prod(asking(next), pendingHooks("AfterClusterUpgrade,AfterControlPlaneUpgrade")), controlPlane(now), set("cni", holding), admitting("cni", next, true),
			},
			wantHeld: true, wantState: "True Ready",
		},
		"another hook of Cluster API is no upgrade": {
			given: []client.Object{
				prod(asking(next), pendingHooks("AfterControlPlaneInitialized")), controlPlane(now), set("cni", holding), admitting("cni", next, true),
			},
			wantState: "True Ready",
		},
		"the set no longer holds": {given: []client.Object{upgrading(), set("cni"), admitting("cni", next, false)}, wantState: "True Ready"},
		"the set is being deleted": {
			given: []client.Object{upgrading(), set("cni", holding, deleting), admitting("cni", next, false)}, wantState: "none",
		},
		"the set no longer selects the Cluster": {
			given: []client.Object{upgrading(), set("cni", holding, selecting("other")), admitting("cni", next, false)}, wantState: "none",
		},
		"the Cluster is paused": {
			given: []client.Object{upgrading(func(c *clusterv1.Cluster) { c.Spec.Paused = new(true) }), set("cni")}, wantHeld: true, wantState: "none",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, test.given...)
			state := r.reconcile(t)
			if state != test.wantState || isHeld(r.cluster(t)) != test.wantHeld {
				t.Errorf("want held: %t, %q, got %t, %q", test.wantHeld, test.wantState, isHeld(r.cluster(t)), state)
			}
			writes := r.writes
			if again := r.reconcile(t); again != state || r.writes != writes {
				t.Errorf("want nothing written the second time, got %d writes, %q", r.writes-writes, again)
			}
		})
	}
}

func isHeld(cluster *clusterv1.Cluster) bool {
	_, is := cluster.Annotations[v1alpha1.UpgradeHookAnnotation]
	return is
}

func TestNothingIsHeldBackWhereTheFeatureIsOff(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(asking("v1.36.0"), held), controlPlane("v1.35.4"), set("cni", holding), admitting("cni", "v1.36.0", false))
	r.NeverHolds = true
	if state := r.reconcile(t); state != "True Ready" || isHeld(r.cluster(t)) {
		t.Errorf("want the annotation taken away, got held: %t, %q", isHeld(r.cluster(t)), state)
	}
}

// Cluster API begins an upgrade to what the topology asks for when the annotation goes.
func TestAnUpgradeIsNotLetGoToAVersionThatWasAskedForMeanwhile(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(asking("v1.36.0"), held), controlPlane("v1.35.4"), set("cni", holding), admitting("cni", "v1.36.0", true))
	stale, newer := r.cluster(t), r.cluster(t)
	newer.Spec.Topology.Version = "v1.37.0"
	if err := r.Client.Update(t.Context(), newer); err != nil {
		t.Fatal(err)
	}
	addons, err := r.addonsOf(t.Context(), stale)
	if err != nil {
		t.Fatal(err)
	}
	got, err := result(r.report(t.Context(), stale, addons))
	if err != nil || got.RequeueAfter == 0 || !isHeld(r.cluster(t)) {
		t.Errorf("want it held, and looked at again soon, got held: %t, %v, %v", isHeld(r.cluster(t)), got, err)
	}
}

func TestAControlPlaneThatCannotBeReadHoldsUpgradesBackAndIsReadAgain(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(asking("v1.36.0")), set("cni", holding), admitting("cni", "v1.36.0", true))
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(prod())})
	if err == nil {
		t.Error("want it to be tried again")
	}
	const want = "True Ready upgrades of Kubernetes are held back: control plane prod: "
	if got := lineOf(r.cluster(t)); !isHeld(r.cluster(t)) || !strings.HasPrefix(got, want) {
		t.Errorf("want it held, and %q, got %q", want, got)
	}
}

func TestOthersAnnotationsStay(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(held, pendingHooks("AfterClusterUpgrade")), set("cni"))
	r.reconcile(t)
	if got := r.cluster(t).Annotations; len(got) != 1 || !slices.Contains([]string{got[runtimev1.PendingHooksAnnotation]}, "AfterClusterUpgrade") {
		t.Errorf("want the annotation of Cluster API alone, got %v", got)
	}
}
