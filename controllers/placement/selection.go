package placement

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

// getSetAndCluster reads the set and the Cluster, which are those of the cache: they must
// not be changed. One that does not exist is nil.
func (r *Reconciler) getSetAndCluster(
	ctx context.Context, p Placement,
) (*v1alpha1.ClusterBundleSet, *clusterv1.Cluster, error) {
	set, cluster := &v1alpha1.ClusterBundleSet{}, &clusterv1.Cluster{}
	setErr := r.Client.Get(ctx, p.setKey(), set, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(setErr) {
		set, setErr = nil, nil
	}
	clusterErr := r.Client.Get(ctx, p.clusterKey(), cluster, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(clusterErr) {
		cluster, clusterErr = nil, nil
	}
	return set, cluster, errors.Join(setErr, clusterErr)
}

// isPaused reports whether a set or a Cluster, as far as they exist, is paused.
func isPaused(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) bool {
	if set == nil {
		return capi.IsPaused(cluster)
	}
	return capi.IsPaused(cluster, set)
}

// selects reports whether there is a set, and a Cluster that it selects, and
// neither is being deleted. The garbage collector alone would keep the
// ClusterBundle until both of its owners are gone.
func selects(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) (bool, error) {
	if set == nil || cluster == nil || isTerminating(set) || isTerminating(cluster) {
		return false, nil
	}
	selector, err := capi.SelectorOf(set)
	if err != nil {
		return false, err
	}
	return selector.Matches(labels.Set(cluster.Labels)), nil
}
