package clusterbundleset

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// countDelay is how long events are collected before a set is counted again: in
// a large fleet many ClusterBundles change at once.
const countDelay = 200 * time.Millisecond

// SetupWithManager adds the reconciler to the manager, whose cache has the
// indices of capi.IndexFields.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager, options controller.Options) error {
	changed := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	made := ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundleset").
		For(&v1alpha1.ClusterBundleSet{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.ClusterBundleSet{}, capi.Delayed(r.setToDependents, countDelay), builder.WithPredicates(dependsOnChanged())).
		Watches(&v1alpha1.ClusterBundle{}, capi.Delayed(clusterBundleToSet, countDelay), builder.WithPredicates(outcomeChanged())).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(r.bundleToSets),
			builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&clusterv1.Cluster{}, capi.Delayed(r.clusterToSets, countDelay), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WithOptions(options)
	if !r.Bundles.OwnOnly {
		made = made.Watches(&corev1.Namespace{}, capi.Delayed(r.namespaceToSets, countDelay),
			builder.OnlyMetadata, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return made.Complete(r)
}

// outcomeChanged lets through the events of ClusterBundles that come, go or count in
// another way than before: each of them writes its progress several times.
func outcomeChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1alpha1.ClusterBundle), e.ObjectNew.(*v1alpha1.ClusterBundle)
		return outcomeOf(before.Status.Conditions) != outcomeOf(after.Status.Conditions)
	}}
}

// clusterBundleToSet returns the set of a ClusterBundle.
func clusterBundleToSet(_ context.Context, object client.Object) []types.NamespacedName {
	cb := object.(*v1alpha1.ClusterBundle)
	return []types.NamespacedName{{Namespace: cb.Namespace, Name: cb.Spec.SetName}}
}

// clusterToSets returns the sets that select a Cluster.
func (r *Reconciler) clusterToSets(ctx context.Context, cluster client.Object) []types.NamespacedName {
	return keysOf(capi.SelectingSets(ctx, r.Client, cluster.GetNamespace(), cluster.GetLabels()))
}

// namespaceToSets returns the sets of a Namespace whose Bundle is of another one, which
// it may use by its labels.
func (r *Reconciler) namespaceToSets(ctx context.Context, namespace client.Object) []types.NamespacedName {
	sets, err := r.Bundles.SetsOfOthers(ctx, namespace.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets", "Namespace", klog.KObj(namespace))
	}
	return keysOf(sets)
}

// bundleToSets returns the requests for the sets that deliver a Bundle.
func (r *Reconciler) bundleToSets(ctx context.Context, bundle client.Object) []reconcile.Request {
	sets, err := capi.SetsOf(ctx, r.Client, client.ObjectKeyFromObject(bundle))
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets", "Bundle", klog.KObj(bundle))
	}
	var requests []reconcile.Request
	for _, key := range keysOf(sets) {
		requests = append(requests, reconcile.Request{NamespacedName: key})
	}
	return requests
}

func keysOf(sets []v1alpha1.ClusterBundleSet) []types.NamespacedName {
	keys := make([]types.NamespacedName, len(sets))
	for i := range sets {
		keys[i] = client.ObjectKeyFromObject(&sets[i])
	}
	return keys
}
