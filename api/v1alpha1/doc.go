// Package v1alpha1 holds the API of the Cluster API Add-on Provider Bundle:
// Bundle defines what is delivered, ClusterBundleSet where, and ClusterBundle is
// one Bundle on one Cluster.
//
// The package holds types and constants only and imports nothing but
// apimachinery, so that a client can use it without the provider.
//
// +kubebuilder:object:generate=true
// +groupName=addons.cluster.x-k8s.io
package v1alpha1
