package capi

import (
	"strings"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// IsPaused reports whether the Cluster is paused, by its spec or by annotation,
// or one of our objects is, by annotation. A Cluster that does not exist is nil.
func IsPaused(cluster *clusterv1.Cluster, objects ...client.Object) bool {
	return WhyPaused(cluster, objects...) != ""
}

// WhyPaused returns for people what pauses the Cluster or one of our objects, as
// Cluster API's condition Paused has it; empty if nothing is paused.
func WhyPaused(cluster *clusterv1.Cluster, objects ...client.Object) string {
	var why []string
	if cluster != nil && cluster.Spec.Paused != nil && *cluster.Spec.Paused {
		why = append(why, "Cluster spec.paused is set to true")
	}
	if cluster != nil {
		objects = append([]client.Object{cluster}, objects...)
	}
	for _, object := range objects {
		if annotations.HasPaused(object) {
			why = append(why, kindOf(object)+" has the "+clusterv1.PausedAnnotation+" annotation")
		}
	}
	return strings.Join(why, ", ")
}

// kindOf returns the kind of an object that may be paused.
func kindOf(object client.Object) string {
	switch object.(type) {
	case *clusterv1.Cluster:
		return clusterv1.ClusterKind
	case *v1alpha1.ClusterBundleSet:
		return "ClusterBundleSet"
	default:
		return "ClusterBundle"
	}
}

// IsControlPlaneInitialized reports whether the API server of a Cluster has
// answered once. Before, there is nothing to connect to.
func IsControlPlaneInitialized(cluster *clusterv1.Cluster) bool {
	initialized := cluster.Status.Initialization.ControlPlaneInitialized
	return initialized != nil && *initialized
}
