package clusterbundle

import (
	"context"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Fields of ClusterBundles in the manager's cache.
const (
	clusterField = "spec.clusterName"
	bundleField  = "spec.bundleName"
	setField     = "spec.setName"
)

// SetupWithManager adds the reconciler and the indices that it needs to the manager.
func (r *Reconciler) SetupWithManager(
	ctx context.Context, mgr ctrl.Manager, cache clustercache.ClusterCache, watched predicate.Predicate,
	options controller.Options,
) error {
	for field, value := range map[string]func(*v1alpha1.ClusterBundle) string{
		clusterField: func(cb *v1alpha1.ClusterBundle) string { return cb.Spec.ClusterName },
		bundleField:  func(cb *v1alpha1.ClusterBundle) string { return cb.Spec.BundleName },
		setField:     func(cb *v1alpha1.ClusterBundle) string { return cb.Spec.SetName },
	} {
		err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.ClusterBundle{}, field,
			func(o client.Object) []string { return []string{value(o.(*v1alpha1.ClusterBundle))} })
		if err != nil {
			return err
		}
	}
	changed := predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundle").
		For(&v1alpha1.ClusterBundle{}, builder.WithPredicates(changed)).
		Watches(&clusterv1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.ofCluster),
			builder.WithPredicates(clusterChanged(), watched)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(r.ofBundle),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, watched)).
		Watches(&v1alpha1.ClusterBundleSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, watched)).
		WatchesRawSource(cache.GetClusterSource("clusterbundle", r.ofCluster)).
		WatchesRawSource(r.BundleNews.Mapped(r.ofBundle)).
		WatchesRawSource(r.ClusterNews.Source(debounce)).
		WithOptions(options).
		Complete(r)
}

// clusterFacts are what a pass needs to know of a Cluster.
type clusterFacts struct{ paused, initialized, deleting bool }

// clusterChanged lets through the events of a Cluster that change something
// for its ClusterBundles, and not its heartbeats.
func clusterChanged() predicate.Predicate {
	facts := func(o client.Object) clusterFacts {
		cluster := o.(*clusterv1.Cluster)
		return clusterFacts{
			paused:      isPaused(cluster, &v1alpha1.ClusterBundle{}),
			initialized: controlPlaneInitialized(cluster),
			deleting:    !cluster.DeletionTimestamp.IsZero(),
		}
	}
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return facts(e.ObjectOld) != facts(e.ObjectNew) },
	}
}

// ofCluster returns the ClusterBundles of a Cluster.
func (r *Reconciler) ofCluster(ctx context.Context, cluster client.Object) []reconcile.Request {
	return r.having(ctx, cluster, clusterField)
}

// ofBundle returns the ClusterBundles of a Bundle.
func (r *Reconciler) ofBundle(ctx context.Context, bundle client.Object) []reconcile.Request {
	return r.having(ctx, bundle, bundleField)
}

// ofSet returns the ClusterBundles of a set.
func (r *Reconciler) ofSet(ctx context.Context, set client.Object) []reconcile.Request {
	return r.having(ctx, set, setField)
}

func (r *Reconciler) having(ctx context.Context, object client.Object, field string) []reconcile.Request {
	list := &v1alpha1.ClusterBundleList{}
	err := r.Client.List(ctx, list,
		client.InNamespace(object.GetNamespace()), client.MatchingFields{field: object.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "field", field, "value", object.GetName())
		return nil
	}
	requests := make([]reconcile.Request, len(list.Items))
	for i := range list.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&list.Items[i])
	}
	return requests
}
