package clusterbundle

import (
	"context"
	"slices"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
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
	ctx context.Context, mgr ctrl.Manager, cache clustercache.ClusterCache, watched predicate.Predicate,
	options controller.Options,
) error {
	r.began, r.lanes = r.Clock.Now(), newLanes(options.MaxConcurrentReconciles)
	if err := r.stopOnChanges(ctx, mgr.GetCache()); err != nil {
		return err
	}
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{}, watched)
	byCluster, byBundle, bySet := r.requestsBy(capi.ClusterField), r.requestsBy(capi.BundleField), r.requestsBy(capi.SetField)
	return ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundle").
		For(&v1alpha1.ClusterBundle{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.ClusterBundle{}, handler.EnqueueRequestsFromMapFunc(r.toOthersOfCluster),
			builder.WithPredicates(comesOrGoes())).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(byCluster),
			builder.WithPredicates(clusterChanged(), watched)).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.toUninstalls),
			builder.WithPredicates(predicate.LabelChangedPredicate{}, watched)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(byBundle), specChanged).
		Watches(&v1alpha1.ClusterBundleSet{}, handler.EnqueueRequestsFromMapFunc(bySet),
			builder.WithPredicates(changed, watched)).
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

// stopOnChanges has passes that are under way end as soon as their Cluster, their
// set or their ClusterBundle changes so that they must not write any more: the
// queue would only tell the next pass.
func (r *Reconciler) stopOnChanges(ctx context.Context, cache ctrlcache.Cache) error {
	for _, object := range []client.Object{&clusterv1.Cluster{}, &v1alpha1.ClusterBundleSet{}, &v1alpha1.ClusterBundle{}} {
		informer, err := cache.GetInformer(ctx, object)
		if err != nil {
			return err
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			UpdateFunc: func(any, any) { r.running.recheck() },
			DeleteFunc: func(any) { r.running.recheck() },
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// comesOrGoes lets through the events of ClusterBundles that are new, being
// deleted or gone: what their set owns is then another's to take, or no longer.
func comesOrGoes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// toOthersOfCluster returns the requests for the other ClusterBundles of the
// Cluster of a ClusterBundle.
func (r *Reconciler) toOthersOfCluster(ctx context.Context, object client.Object) []reconcile.Request {
	cluster := clusterKey(object.(*v1alpha1.ClusterBundle))
	requests := capi.RequestsBy(r.Client, capi.ClusterField)(ctx, cluster)
	return slices.DeleteFunc(requests, func(request reconcile.Request) bool {
		return request.NamespacedName == client.ObjectKeyFromObject(object)
	})
}

// toUninstalls returns the requests for the ClusterBundles that are being
// uninstalled from a Cluster, whose labels may opt it in again.
func (r *Reconciler) toUninstalls(ctx context.Context, cluster client.Object) []reconcile.Request {
	found, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, cluster.GetNamespace(), cluster.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "Cluster", klog.KObj(cluster))
	}
	var requests []reconcile.Request
	for i := range found {
		if !found[i].DeletionTimestamp.IsZero() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found[i])})
		}
	}
	return requests
}
