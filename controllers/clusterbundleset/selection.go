package clusterbundleset

import (
	"context"

	"k8s.io/apimachinery/pkg/labels"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Selected returns the Clusters that a set selects.
func (r *Reconciler) Selected(ctx context.Context, set *v1alpha1.ClusterBundleSet) []clusterv1.Cluster {
	selector, err := selectorOf(set)
	if err != nil {
		return nil
	}
	clusters := &clusterv1.ClusterList{}
	err = r.Client.List(ctx, clusters,
		client.InNamespace(set.Namespace), client.MatchingLabelsSelector{Selector: selector})
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Clusters of a set", "set", set.Name)
	}
	return clusters.Items
}

// Clusters is a source of the Clusters that a set selects whenever the set
// changes: for the ClusterCache, which connects them.
func (r *Reconciler) Clusters(cache ctrlcache.Cache) source.Source {
	enqueue := func(ctx context.Context, set *v1alpha1.ClusterBundleSet, q queue) {
		for _, cluster := range r.Selected(ctx, set) {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&cluster)})
		}
	}
	events := handler.TypedFuncs[*v1alpha1.ClusterBundleSet, reconcile.Request]{
		CreateFunc: func(ctx context.Context, e event.TypedCreateEvent[*v1alpha1.ClusterBundleSet], q queue) {
			enqueue(ctx, e.Object, q)
		},
		UpdateFunc: func(ctx context.Context, e event.TypedUpdateEvent[*v1alpha1.ClusterBundleSet], q queue) {
			if e.ObjectOld.Generation != e.ObjectNew.Generation {
				enqueue(ctx, e.ObjectOld, q)
				enqueue(ctx, e.ObjectNew, q)
			}
		},
		DeleteFunc: func(ctx context.Context, e event.TypedDeleteEvent[*v1alpha1.ClusterBundleSet], q queue) {
			enqueue(ctx, e.Object, q)
		},
	}
	return source.Kind(cache, &v1alpha1.ClusterBundleSet{}, events)
}

// Selects tells whether any set selects the Cluster.
func (r *Reconciler) Selects(ctx context.Context, cluster *clusterv1.Cluster) bool {
	return len(r.selecting(ctx, cluster.Namespace, cluster.Labels)) > 0
}

// selecting returns the sets that select one of the given label sets.
func (r *Reconciler) selecting(
	ctx context.Context, namespace string, labelSets ...map[string]string,
) []v1alpha1.ClusterBundleSet {
	sets := &v1alpha1.ClusterBundleSetList{}
	if err := r.Client.List(ctx, sets, client.InNamespace(namespace)); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets")
	}
	var selecting []v1alpha1.ClusterBundleSet
	for _, set := range sets.Items {
		selector, err := selectorOf(&set)
		if err != nil {
			// A set that cannot be used must not keep the others from working.
			continue
		}
		for _, l := range labelSets {
			if selector.Matches(labels.Set(l)) {
				selecting = append(selecting, set)
				break
			}
		}
	}
	return selecting
}
