package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	runtimev1 "sigs.k8s.io/cluster-api/api/runtime/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// afterUpgrade is what Cluster API notes among the pending hooks of a Cluster before it
// begins an upgrade, and removes when the upgrade is done. Meanwhile it does not ask for
// annotations, and its webhook refuses another version.
const afterUpgrade = "AfterClusterUpgrade"

// upgrade is what is known of the upgrade of a Cluster's Kubernetes.
type upgrade struct {
	// holds is whether the annotation that holds upgrades back is to be there.
	holds bool
	// version that the topology asks for, which the Cluster does not have yet, and the
	// sets that it waits for with why; both empty if it waits for none.
	version string
	waiting []string
}

// upgradeOf finds out whether the next upgrade of a Cluster is held back. The annotation
// has to be there before somebody asks for another version: Cluster API may begin at
// once. So it is always, but between the time when each set that holds has a release
// Ready that admits the version, and the begin of that upgrade.
func (r *Reconciler) upgradeOf(ctx context.Context, cluster *clusterv1.Cluster, addons []addon) (upgrade, error) {
	holding := slices.DeleteFunc(slices.Clone(addons), func(a addon) bool {
		return r.NeverHolds || a.set.Spec.KubernetesUpgrades != v1alpha1.HoldKubernetesUpgrades
	})
	wanted := cluster.Spec.Topology.Version
	if len(holding) == 0 || wanted == "" {
		return upgrade{}, nil
	}
	if hasBegun(cluster) {
		return upgrade{holds: true}, nil
	}
	present, err := r.controlPlaneVersion(ctx, cluster)
	if err != nil || present == "" || present == wanted {
		return upgrade{holds: true}, err
	}
	var waiting []string
	for _, a := range holding {
		if why := notAdmitted(a.delivered, wanted); why != "" {
			waiting = append(waiting, a.set.Name+": "+text.Line(why, maxWhy))
		}
	}
	if len(waiting) == 0 {
		return upgrade{}, nil
	}
	return upgrade{holds: true, version: wanted, waiting: waiting}, nil
}

// hasBegun reports whether Cluster API has begun to upgrade a Cluster.
func hasBegun(cluster *clusterv1.Cluster) bool {
	return slices.Contains(strings.Split(cluster.Annotations[runtimev1.PendingHooksAnnotation], ","), afterUpgrade)
}

// controlPlaneVersion reads, from the API server, the version that the control plane of
// a Cluster is at or was told to go to; empty before there is one. By the contract of
// Cluster API it is at the same place in all kinds of control planes.
func (r *Reconciler) controlPlaneVersion(ctx context.Context, cluster *clusterv1.Cluster) (string, error) {
	ref := cluster.Spec.ControlPlaneRef
	if !ref.IsDefined() {
		return "", nil
	}
	mapping, err := r.Client.RESTMapper().RESTMapping(schema.GroupKind{Group: ref.APIGroup, Kind: ref.Kind})
	if err != nil {
		return "", fmt.Errorf("control plane %s: %w", ref.Name, err)
	}
	controlPlane := &unstructured.Unstructured{}
	controlPlane.SetGroupVersionKind(mapping.GroupVersionKind)
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Namespace, Name: ref.Name}, controlPlane); err != nil {
		return "", fmt.Errorf("control plane %s: %w", ref.Name, err)
	}
	version, _, err := unstructured.NestedString(controlPlane.Object, "spec", "version")
	return version, err
}

// notAdmitted returns why a Cluster cannot be upgraded to a version of Kubernetes with
// what was delivered to it, empty if it can.
func notAdmitted(cb *v1alpha1.ClusterBundle, wanted string) string {
	if cb == nil || cb.Spec.Version == "" {
		return "has no release yet"
	}
	u := cb.Spec.KubernetesUpgrade
	if u == nil || u.Version != wanted || u.Admitted == nil || !*u.Admitted {
		if behind := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.UpToDateCondition); behind != nil &&
			behind.Status == metav1.ConditionFalse {
			return behind.Message
		}
		return "no release that admits it is pinned yet"
	}
	if !release.IsReady(cb) {
		return fmt.Sprintf("release %s, which admits it, is not Ready: %s", cb.Spec.Version,
			cmp.Or(notReady(cb), "it was not looked at since it was pinned"))
	}
	return ""
}

// setHook makes the annotation that holds upgrades back be there, or not. It is changed
// in the version of the Cluster that was read only: the next one may ask for another
// version of Kubernetes.
func (r *Reconciler) setHook(ctx context.Context, cluster *clusterv1.Cluster, holds bool) error {
	if _, has := cluster.Annotations[v1alpha1.UpgradeHookAnnotation]; has == holds {
		return nil
	}
	before := cluster.DeepCopy()
	if holds {
		metav1.SetMetaDataAnnotation(&cluster.ObjectMeta, v1alpha1.UpgradeHookAnnotation, "")
	} else {
		delete(cluster.Annotations, v1alpha1.UpgradeHookAnnotation)
	}
	return r.Client.Patch(ctx, cluster, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

// message returns for people what an upgrade waits for, empty if it does not.
func (u upgrade) message() string {
	if len(u.waiting) == 0 {
		return ""
	}
	return fmt.Sprintf("the upgrade to Kubernetes %s is held back by %s",
		text.Line(u.version, maxVersion), text.List(u.waiting, maxHolding, "; "))
}
