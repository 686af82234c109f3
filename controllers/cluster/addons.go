package cluster

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// addon is a set that selects a Cluster.
type addon struct {
	set *v1alpha1.ClusterBundleSet
	// delivered is its ClusterBundle, nil while there is none.
	delivered *v1alpha1.ClusterBundle
}

// addonsOf reads, from the cache, what the sets that select a Cluster deliver to it,
// sorted by the names of the sets. One that cannot be used or is being deleted selects
// nothing. Unlike capi.SelectingSets it returns an error: no set at all has consequences.
func (r *Reconciler) addonsOf(ctx context.Context, cluster *clusterv1.Cluster) ([]addon, error) {
	sets := &v1alpha1.ClusterBundleSetList{}
	if err := r.Client.List(ctx, sets, client.InNamespace(cluster.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	delivered, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, cluster.Namespace, cluster.Name)
	if err != nil {
		return nil, err
	}
	var addons []addon
	for i := range sets.Items {
		if set := &sets.Items[i]; r.Filter.Has(set) && selects(set, cluster) {
			addons = append(addons, addon{set: set, delivered: of(set, delivered)})
		}
	}
	slices.SortFunc(addons, func(a, b addon) int { return strings.Compare(a.set.Name, b.set.Name) })
	return addons, nil
}

func selects(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) bool {
	selector, err := capi.SelectorOf(set)
	return err == nil && set.DeletionTimestamp.IsZero() && selector.Matches(labels.Set(cluster.Labels))
}

// of returns the ClusterBundle of a set, nil if there is none.
func of(set *v1alpha1.ClusterBundleSet, delivered []v1alpha1.ClusterBundle) *v1alpha1.ClusterBundle {
	i := slices.IndexFunc(delivered, func(cb v1alpha1.ClusterBundle) bool { return cb.Spec.SetName == set.Name })
	if i < 0 {
		return nil
	}
	return &delivered[i]
}
