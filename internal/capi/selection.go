package capi

import (
	"context"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// SelectorOf returns the selector of a set. An invalid one is a fault.Stall, and
// so is an empty one: the schema refuses it, but what was stored before must not
// select everything.
func SelectorOf(set *v1alpha1.ClusterBundleSet) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(&set.Spec.ClusterSelector)
	if err != nil {
		return nil, fault.Stall(v1alpha1.SelectorInvalidReason, fmt.Errorf("clusterSelector: %w", err))
	}
	if selector.Empty() {
		return nil, fault.Stallf(v1alpha1.SelectorInvalidReason, "clusterSelector is empty: name at least one label")
	}
	return selector, nil
}

// SelectedClusters lists the Clusters that a set selects, which are those of the cache:
// they must not be changed. A selector that cannot be used is a fault.Stall.
func SelectedClusters(
	ctx context.Context, reader client.Reader, set *v1alpha1.ClusterBundleSet,
) ([]clusterv1.Cluster, error) {
	selector, err := SelectorOf(set)
	if err != nil {
		return nil, err
	}
	clusters := &clusterv1.ClusterList{}
	err = reader.List(ctx, clusters,
		client.InNamespace(set.Namespace), client.MatchingLabelsSelector{Selector: selector}, shared)
	return clusters.Items, err
}

// SelectingSets returns the sets of a namespace that select one of the given
// sets of labels, as the cache has them: they must not be changed. One that cannot be
// used selects nothing and does not keep the others from working.
func SelectingSets(
	ctx context.Context, reader client.Reader, namespace string, labelSets ...map[string]string,
) []v1alpha1.ClusterBundleSet {
	sets := &v1alpha1.ClusterBundleSetList{}
	if err := reader.List(ctx, sets, client.InNamespace(namespace), shared); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundleSets")
	}
	return slices.DeleteFunc(sets.Items, func(set v1alpha1.ClusterBundleSet) bool {
		selector, err := SelectorOf(&set)
		return err != nil || !slices.ContainsFunc(labelSets, func(l map[string]string) bool {
			return selector.Matches(labels.Set(l))
		})
	})
}

// IsNeeded reports whether a Cluster is to be connected by the manager with the filter:
// a set selects it, or something is to be removed from it that a set applied which no
// longer does. All of them are that manager's.
func (f Filter) IsNeeded(ctx context.Context, reader client.Reader, cluster *clusterv1.Cluster) bool {
	if !f.Has(cluster) {
		return false
	}
	selecting := SelectingSets(ctx, reader, cluster.Namespace, cluster.Labels)
	if slices.ContainsFunc(selecting, func(set v1alpha1.ClusterBundleSet) bool { return f.Has(&set) }) {
		return true
	}
	found, err := ClusterBundlesBy(ctx, reader, ClusterField, cluster.Namespace, cluster.Name)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "Cluster", klog.KObj(cluster))
	}
	return slices.ContainsFunc(found, func(cb v1alpha1.ClusterBundle) bool { return f.Has(&cb) && NeedsUninstall(&cb) })
}

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// SelectionChanges is a source of the Clusters that a set selects, or did before,
// whenever the set changes: for SetupConnecting.
func SelectionChanges(reader client.Reader, cache ctrlcache.Cache) source.Source {
	enqueue := func(ctx context.Context, set *v1alpha1.ClusterBundleSet, q queue) {
		clusters, err := SelectedClusters(ctx, reader, set)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing the Clusters that are selected", "ClusterBundleSet", klog.KObj(set))
		}
		for i := range clusters {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&clusters[i])})
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
