package capi

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"
)

// IsPaused reports whether the Cluster is paused, by its spec or by annotation,
// or one of our objects is, by annotation. A Cluster that does not exist is nil.
func IsPaused(cluster *clusterv1.Cluster, objects ...metav1.Object) bool {
	if cluster != nil && annotations.IsPaused(cluster, cluster) {
		return true
	}
	return slices.ContainsFunc(objects, func(object metav1.Object) bool { return annotations.HasPaused(object) })
}

// IsControlPlaneInitialized reports whether the API server of a Cluster has
// answered once. Before, there is nothing to connect to.
func IsControlPlaneInitialized(cluster *clusterv1.Cluster) bool {
	initialized := cluster.Status.Initialization.ControlPlaneInitialized
	return initialized != nil && *initialized
}
