package clusterbundle

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
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
// indices of capi.IndexFields.
func (r *Reconciler) SetupWithManager(
	ctx context.Context, mgr ctrl.Manager, options controller.Options,
) error {
	r.began, r.lanes = r.Clock.Now(), newLanes(options.MaxConcurrentReconciles)
	if err := r.stopOnChanges(ctx, mgr.GetCache()); err != nil {
		return err
	}
	changed := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	specChanged := builder.WithPredicates(predicate.GenerationChangedPredicate{})
	byCluster, bySet, byBundle := r.requestsBy(capi.ClusterField), r.requestsBy(capi.SetField), capi.RequestsByBundle(r.Client)
	made := ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundle").
		For(&v1alpha1.ClusterBundle{}, builder.WithPredicates(changed)).
		Watches(&v1alpha1.ClusterBundle{}, handler.EnqueueRequestsFromMapFunc(r.toOthersOfCluster),
			builder.WithPredicates(comesOrGoes())).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(byCluster),
			builder.WithPredicates(clusterChanged())).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.toPatched),
			builder.WithPredicates(variablesChanged())).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.toUninstalls),
			builder.WithPredicates(predicate.LabelChangedPredicate{})).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(
			func(ctx context.Context, bundle client.Object) []reconcile.Request {
				return byBundle(ctx, client.ObjectKeyFromObject(bundle))
			}), specChanged).
		Watches(&v1alpha1.ClusterBundleSet{}, handler.EnqueueRequestsFromMapFunc(bySet),
			builder.WithPredicates(changed)).
		WatchesRawSource(trigger.Source(r.ConnectionEvents, 0, capi.RequestsBy(r.Client, capi.ClusterField))).
		WatchesRawSource(trigger.Source(r.BundleEvents, 0, byBundle)).
		WatchesRawSource(trigger.Source(r.ClusterEvents, debounce, trigger.Itself)).
		WithOptions(options)
	if !r.Bundles.OwnOnly {
		made = made.Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(r.toUsersOfOthers),
			builder.OnlyMetadata, builder.WithPredicates(predicate.LabelChangedPredicate{}))
	}
	return made.Complete(r)
}

// toUsersOfOthers returns the requests for the ClusterBundles of a Namespace whose Bundle
// is of another one, which it may use by its labels.
func (r *Reconciler) toUsersOfOthers(ctx context.Context, namespace client.Object) []reconcile.Request {
	sets, err := r.Bundles.SetsOfOthers(ctx, namespace.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets", "Namespace", klog.KObj(namespace))
	}
	var requests []reconcile.Request
	for i := range sets {
		requests = append(requests, capi.RequestsBy(r.Client, capi.SetField)(ctx, client.ObjectKeyFromObject(&sets[i]))...)
	}
	return requests
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
	type facts struct {
		initialized, deleting bool
		paused, filter        string
	}
	return capi.ClusterChanged(func(cluster *clusterv1.Cluster) facts {
		return facts{
			paused:      capi.WhyPaused(cluster),
			initialized: capi.IsControlPlaneInitialized(cluster),
			deleting:    !cluster.DeletionTimestamp.IsZero(),
			filter:      cluster.Labels[clusterv1.WatchLabel],
		}
	})
}

// stopOnChanges has passes that are under way end as soon as their Cluster, their
// set or their ClusterBundle changes so that they must not write any more: the
// queue would only tell the next pass.
func (r *Reconciler) stopOnChanges(ctx context.Context, cache ctrlcache.Cache) error {
	for object, keyOf := range map[client.Object]func(*v1alpha1.ClusterBundle) types.NamespacedName{
		&clusterv1.Cluster{}: clusterKey, &v1alpha1.ClusterBundleSet{}: setKey, &v1alpha1.ClusterBundle{}: ownKey,
	} {
		informer, err := cache.GetInformer(ctx, object)
		if err != nil {
			return err
		}
		recheck := func(changed any) {
			if key, err := toolscache.DeletionHandlingObjectToName(changed); err == nil {
				r.running.recheck(keyOf, key.AsNamespacedName())
			}
		}
		_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
			UpdateFunc: func(_, after any) { recheck(after) }, DeleteFunc: recheck,
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
