package takeover

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Given is what is decided from: a ClusterResourceSet and what is in its namespace.
type Given struct {
	// ClusterResourceSet is what is taken over.
	ClusterResourceSet *addonsv1.ClusterResourceSet
	// Resources are what it names, in its order.
	Resources []Resource
	// Clusters are those of the namespace.
	Clusters []clusterv1.Cluster
	// Bindings are where Cluster API keeps what was applied.
	Bindings []addonsv1.ClusterResourceSetBinding
	// Others are all ClusterResourceSets of the namespace.
	Others []addonsv1.ClusterResourceSet
	// Sets are the ClusterBundleSets of the namespace.
	Sets []v1alpha1.ClusterBundleSet
}

// Resource is a ConfigMap or a Secret that a ClusterResourceSet names.
type Resource struct {
	addonsv1.ResourceRef

	// Found is false if it does not exist.
	Found bool
	// Type is that of a Secret.
	Type corev1.SecretType
	// Values are the manifests by their keys.
	Values map[string][]byte
	// Binary is true for a ConfigMap with binaryData, which Cluster API does not read.
	Binary bool
	// Owners are its owners.
	Owners []metav1.OwnerReference
}

// String returns the kind and the name.
func (r Resource) String() string { return r.Kind + " " + r.Name }

// Options are what can be chosen.
type Options struct {
	// Name of the Bundle and of the ClusterBundleSet. Default: that of the
	// ClusterResourceSet.
	Name string
	// Version of the release. Required.
	Version string
	// Strategy of the ClusterBundleSet. Default: that of the ClusterResourceSet.
	Strategy v1alpha1.Strategy
}

// Plan is what takes the place of a ClusterResourceSet.
type Plan struct {
	// Bundle has what the ClusterResourceSet names as its sources.
	Bundle *v1alpha1.Bundle
	// Set selects the Clusters.
	Set *v1alpha1.ClusterBundleSet
	// Resources are the sources of the Bundle.
	Resources []Resource
	// Clusters are those that are selected now, sorted by name.
	Clusters []clusterv1.Cluster
	// Objects are what is delivered, in the order in which it is applied.
	Objects []Object
	// Warnings are what will be different from what the ClusterResourceSet does.
	Warnings []string
}
