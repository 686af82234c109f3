package inventory

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// capiManager is the field manager of a ClusterResourceSet, and of a chart that
// Cluster API's provider for Helm installs: neither chooses one, so that the API
// server takes the user agent up to its first slash, and Helm the
// name of its binary. Both are that of the binary in the images of Cluster API.
const capiManager = "manager"

// legacyManagers are the field managers of plain clients that bring whole objects.
var legacyManagers = map[string]bool{
	// kubectl apply --server-side, and each command of kubectl before v1.18.
	"kubectl": true,
	// The other commands of kubectl that send whole objects.
	"kubectl-client-side-apply": true,
	"kubectl-create":            true,
	"kubectl-expose":            true,
	"kubectl-replace":           true,
	"kubectl-run":               true,
	// What kubectl apply --server-side leaves of an object that was applied before
	// without it: the annotation with the whole object.
	"kubectl-last-applied": true,
	// What an object had before anybody's fields were managed.
	"before-first-apply": true,
	// Helm: CRDs of a chart, and what a release left behind, do not name a release.
	"helm": true,
	// ClusterResourceSets.
	capiManager: true,
}

// IsLegacy reports whether the entry is of a plain client that brings whole
// objects and keeps no inventory. When an object is adopted, its fields become
// those of the set.
//
// Not of these are the commands of kubectl by which people change single fields
// (edit, patch, label, annotate, set, scale): as after kubectl apply, their change
// stays until somebody applies another value. Nor are controllers, such as
// kube-controller-manager, the kubelet or the operator of an add-on, or
// subresources.
func IsLegacy(e metav1.ManagedFieldsEntry) bool {
	if e.Subresource != "" || !legacyManagers[e.Manager] {
		return false
	}
	// A ClusterResourceSet creates and patches. An operator may apply.
	return e.Manager != capiManager || e.Operation == metav1.ManagedFieldsOperationUpdate
}
