// Package v1alpha1 is the file that configures a manager while it runs: what its
// operators change without a restart. What needs one is a flag.
//
// It is no API that a server serves.
// +kubebuilder:object:generate=true
// +groupName=config.addons.cluster.x-k8s.io
package v1alpha1
