package clusterbundle

import (
	"context"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

// debounce is how long events of one workload cluster are collected before a
// pass: a bundle's CustomResourceDefinitions change several times a second
// while they become established.
const debounce = 100 * time.Millisecond

// SetupWithManager adds the reconciler to the manager, whose cache has the
// indices of capi.IndexFields. watched lets through the events of the objects
// that this manager looks after.
func (r *Reconciler) SetupWithManager(
	mgr ctrl.Manager, cache clustercache.ClusterCache, watched predicate.Predicate, options controller.Options,
) error {
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{}, watched)
	byCluster, byBundle := r.requestsBy(capi.ClusterField), r.requestsBy(capi.BundleField)
	return ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundle").
		For(&v1alpha1.ClusterBundle{}, builder.WithPredicates(changed)).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(byCluster),
			builder.WithPredicates(clusterChanged(), watched)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(byBundle), specChanged).
		Watches(&v1alpha1.ClusterBundleSet{}, handler.EnqueueRequestsFromMapFunc(r.requestsBy(capi.SetField)), specChanged).
		WatchesRawSource(capi.Connections(cache, "clusterbundle", byCluster)).
		WatchesRawSource(trigger.Source(r.BundleEvents, 0, capi.RequestsBy(r.Client, capi.BundleField))).
		WatchesRawSource(trigger.Source(r.ClusterEvents, debounce, trigger.Itself)).
		WithOptions(options).
		Complete(r)
}

// requestsBy returns a function that returns the requests for the ClusterBundles
// whose field has the name of the object.
func (r *Reconciler) requestsBy(field string) handler.MapFunc {
	requests := capi.RequestsBy(r.Client, field)
	return func(ctx context.Context, object client.Object) []reconcile.Request {
		return requests(ctx, client.ObjectKeyFromObject(object))
	}
}

// clusterChanged lets through the events of a Cluster that change something for
// its ClusterBundles.
func clusterChanged() predicate.Predicate {
	type facts struct{ paused, initialized, deleting bool }
	return capi.ClusterChanged(func(cluster *clusterv1.Cluster) facts {
		return facts{
			paused:      capi.IsPaused(cluster),
			initialized: capi.IsControlPlaneInitialized(cluster),
			deleting:    !cluster.DeletionTimestamp.IsZero(),
		}
	})
}
