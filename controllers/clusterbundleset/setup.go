package clusterbundleset

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/util/annotations"
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

// Fields in the manager's cache: of ClusterBundles, and of ClusterBundleSets.
const (
	setField       = "spec.setName" // indexed by the controller of ClusterBundles
	placementField = "placement"
	bundleField    = "spec.bundle.name"
)

// countPause is how long changes are collected before a set is counted anew:
// in a large fleet many ClusterBundles change at once.
const countPause = 200 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SetupWithManager adds the reconciler and the indices that it needs to the manager.
func (r *Reconciler) SetupWithManager(
	ctx context.Context, mgr ctrl.Manager, cache clustercache.ClusterCache, watched predicate.Predicate,
	options controller.Options,
) error {
	if err := r.index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	changed := predicate.Or[client.Object](
		predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}, predicate.LabelChangedPredicate{})
	return ctrl.NewControllerManagedBy(mgr).
		Named("clusterbundleset").
		Watches(&v1alpha1.ClusterBundleSet{}, handler.EnqueueRequestsFromMapFunc(r.ofSet),
			builder.WithPredicates(changed, watched)).
		Watches(&v1alpha1.ClusterBundle{}, r.clusterBundleEvents(), builder.WithPredicates(watched)).
		Watches(&v1alpha1.Bundle{}, handler.EnqueueRequestsFromMapFunc(r.ofBundle),
			builder.WithPredicates(predicate.GenerationChangedPredicate{}, watched)).
		Watches(&clusterv1.Cluster{}, r.clusterEvents(), builder.WithPredicates(clusterChanged(), watched)).
		WatchesRawSource(cache.GetClusterSource("clusterbundleset", r.ofConnection)).
		WatchesRawSource(r.News.Mapped(r.ofBundle)).
		WithOptions(options).
		Complete(r)
}

func (r *Reconciler) index(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.ClusterBundle{}, placementField, func(o client.Object) []string {
		cb := o.(*v1alpha1.ClusterBundle)
		return []string{cb.Spec.SetName + separator + cb.Spec.ClusterName}
	})
	if err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.ClusterBundleSet{}, bundleField,
		func(o client.Object) []string { return []string{o.(*v1alpha1.ClusterBundleSet).Spec.Bundle.Name} })
}

// ofSet returns the set and all its placements: on the Clusters that it
// selects, and on those that it selected before.
func (r *Reconciler) ofSet(ctx context.Context, object client.Object) []reconcile.Request {
	set := object.(*v1alpha1.ClusterBundleSet)
	requests := []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(set)}}
	bundles, err := r.clusterBundles(ctx, set.Namespace, client.MatchingFields{setField: set.Name})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles of a set", "set", set.Name)
	}
	for _, cb := range bundles {
		requests = append(requests, placement{set.Namespace, set.Name, cb.Spec.ClusterName}.request())
	}
	for _, cluster := range r.Selected(ctx, set) {
		requests = append(requests, placement{set.Namespace, set.Name, cluster.Name}.request())
	}
	return requests
}

// ofBundle returns the sets of a Bundle with all their placements.
func (r *Reconciler) ofBundle(ctx context.Context, bundle client.Object) []reconcile.Request {
	sets := &v1alpha1.ClusterBundleSetList{}
	err := r.Client.List(ctx, sets,
		client.InNamespace(bundle.GetNamespace()), client.MatchingFields{bundleField: bundle.GetName()})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets of a Bundle", "bundle", bundle.GetName())
	}
	var requests []reconcile.Request
	for i := range sets.Items {
		requests = append(requests, r.ofSet(ctx, &sets.Items[i])...)
	}
	return requests
}

// ofConnection returns the placements of a Cluster that was connected or
// disconnected: only now its version can be read.
func (r *Reconciler) ofConnection(ctx context.Context, cluster client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, set := range r.selecting(ctx, cluster.GetNamespace(), cluster.GetLabels()) {
		requests = append(requests, placement{set.Namespace, set.Name, cluster.GetName()}.request())
	}
	return requests
}

// clusterEvents wakes the sets that select a Cluster, or did before its labels
// changed, each with this one placement and its count.
func (r *Reconciler) clusterEvents() handler.EventHandler {
	wake := func(ctx context.Context, q queue, cluster client.Object, labelSets ...map[string]string) {
		for _, set := range r.selecting(ctx, cluster.GetNamespace(), labelSets...) {
			q.Add(placement{set.Namespace, set.Name, cluster.GetName()}.request())
			q.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&set)}, countPause)
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) {
			wake(ctx, q, e.Object, e.Object.GetLabels())
		},
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			wake(ctx, q, e.ObjectNew, e.ObjectNew.GetLabels(), e.ObjectOld.GetLabels())
		},
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) {
			wake(ctx, q, e.Object, e.Object.GetLabels())
		},
	}
}

// clusterBundleEvents has the set of a ClusterBundle counted, and the placement
// of one that was changed or deleted by somebody looked after.
func (r *Reconciler) clusterBundleEvents() handler.EventHandler {
	count := func(q queue, cb *v1alpha1.ClusterBundle) {
		set := client.ObjectKey{Namespace: cb.Namespace, Name: cb.Spec.SetName}
		q.AddAfter(reconcile.Request{NamespacedName: set}, countPause)
	}
	place := func(q queue, cb *v1alpha1.ClusterBundle) {
		q.Add(placement{cb.Namespace, cb.Spec.SetName, cb.Spec.ClusterName}.request())
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) {
			count(q, e.Object.(*v1alpha1.ClusterBundle))
			place(q, e.Object.(*v1alpha1.ClusterBundle))
		},
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			count(q, e.ObjectNew.(*v1alpha1.ClusterBundle))
			if e.ObjectNew.GetGeneration() != e.ObjectOld.GetGeneration() {
				place(q, e.ObjectNew.(*v1alpha1.ClusterBundle))
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) {
			count(q, e.Object.(*v1alpha1.ClusterBundle))
			place(q, e.Object.(*v1alpha1.ClusterBundle))
		},
	}
}

// clusterChanged lets through the events of a Cluster that change something
// for its placements, and not its heartbeats.
func clusterChanged() predicate.Predicate {
	type facts struct {
		paused, deleting bool
		version          string
	}
	of := func(o client.Object) facts {
		cluster := o.(*clusterv1.Cluster)
		return facts{
			paused:   annotations.IsPaused(cluster, cluster),
			deleting: !cluster.DeletionTimestamp.IsZero(),
			version:  cluster.Spec.Topology.Version,
		}
	}
	return predicate.Or[client.Object](predicate.LabelChangedPredicate{}, predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return of(e.ObjectOld) != of(e.ObjectNew) },
	})
}
