package cluster

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// sumDelay is how long events are collected before a Cluster is summed up again: each
// write of its status has Cluster API's own controllers look at it.
const sumDelay = time.Second

// SetupWithManager adds the reconciler to the manager, whose cache has the
// indices of capi.IndexFields.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	setChanged := predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.LabelChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("cluster").
		For(&clusterv1.Cluster{}, builder.WithPredicates(clusterChanged())).
		Watches(&v1alpha1.ClusterBundle{}, capi.Delayed(clusterBundleToCluster, sumDelay)).
		Watches(&v1alpha1.ClusterBundleSet{}, capi.Delayed(r.setToClusters, sumDelay), builder.WithPredicates(setChanged)).
		WithOptions(options).
		Complete(r)
}

// clusterChanged lets through the events of a Cluster that change something for its
// condition and for its upgrades. Somebody else may have changed what is written here,
// too. What else Cluster API writes does not pass.
func clusterChanged() predicate.Predicate {
	type facts struct {
		paused, holds, upgrades bool
		version                 string
		controlPlane            clusterv1.ContractVersionedObjectReference
		condition               [3]string
	}
	return predicate.Or[client.Object](predicate.LabelChangedPredicate{}, capi.ClusterChanged(
		func(cluster *clusterv1.Cluster) facts {
			_, holds := cluster.Annotations[v1alpha1.UpgradeHookAnnotation]
			return facts{
				paused: capi.IsPaused(cluster), holds: holds, upgrades: hasBegun(cluster),
				version: cluster.Spec.Topology.Version, controlPlane: cluster.Spec.ControlPlaneRef,
				condition: stateOf(cluster.Status.Conditions),
			}
		}))
}

// stateOf returns the status, the reason and the message of the condition of a Cluster.
func stateOf(conditions []metav1.Condition) [3]string {
	c := meta.FindStatusCondition(conditions, v1alpha1.AddonBundlesReadyCondition)
	if c == nil {
		return [3]string{}
	}
	return [3]string{string(c.Status), c.Reason, c.Message}
}

func clusterBundleToCluster(_ context.Context, object client.Object) []types.NamespacedName {
	cb := object.(*v1alpha1.ClusterBundle)
	return []types.NamespacedName{{Namespace: cb.Namespace, Name: cb.Spec.ClusterName}}
}

// setToClusters returns the Clusters that a set selects.
func (r *Reconciler) setToClusters(ctx context.Context, object client.Object) []types.NamespacedName {
	set := object.(*v1alpha1.ClusterBundleSet)
	clusters, err := capi.SelectedClusters(ctx, r.Client, set)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the Clusters that are selected", "ClusterBundleSet", klog.KObj(set))
	}
	keys := make([]types.NamespacedName, len(clusters))
	for i := range clusters {
		keys[i] = client.ObjectKeyFromObject(&clusters[i])
	}
	return keys
}
