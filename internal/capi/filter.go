package capi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/labels"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Filter is the value of the label cluster.x-k8s.io/watch-filter that the objects of
// this manager have: those that it reconciles, and the Clusters that it connects. The
// zero value is of a manager that has all of them. Every reconcile asks it before it
// does anything, whatever led to it.
type Filter string

// Has reports whether an object is this manager's.
func (f Filter) Has(object metav1.Object) bool {
	return f == "" || labels.HasWatchLabel(object, string(f))
}

// HasSetOn reports whether a set is this manager's on a Cluster: both are, as far as they
// exist. One that does not is nil. Without a set the ClusterBundle that it left decides,
// which has its label.
func (f Filter) HasSetOn(
	set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, left *v1alpha1.ClusterBundle,
) bool {
	if cluster != nil && !f.Has(cluster) {
		return false
	}
	if set != nil {
		return f.Has(set)
	}
	return left == nil || f.Has(left)
}
