package capi

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterctlv1 "sigs.k8s.io/cluster-api/cmd/clusterctl/api/v1alpha3"
)

// MoveLabel has clusterctl move an object, whatever its value is.
const MoveLabel = clusterctlv1.ClusterctlMoveLabel

// MoveLabelValue is the value of a MoveLabel that the manager set, and may remove: one
// with another value is the user's.
const MoveLabelValue = "addon-bundle"

// IsMovedAway reports whether clusterctl deletes an object here since it has moved
// it to another management cluster.
func IsMovedAway(object metav1.Object) bool {
	_, moved := object.GetAnnotations()[clusterctlv1.DeleteForMoveAnnotation]
	return moved
}

// HasMoveLabel reports whether clusterctl moves an object because of its label, and
// whether the manager set that.
func HasMoveLabel(object metav1.Object) (has, ours bool) {
	value, has := object.GetLabels()[MoveLabel]
	return has, has && value == MoveLabelValue
}

// KeepMoveLabel is a transform for a cache of metadata: it drops all that is not needed
// to see that an object changed, and whether clusterctl moves it. The error is always
// nil.
func KeepMoveLabel(object any) (any, error) {
	m, ok := object.(metav1.Object)
	if !ok {
		return object, nil
	}
	value, has := m.GetLabels()[MoveLabel]
	m.SetManagedFields(nil)
	m.SetLabels(nil)
	m.SetAnnotations(nil)
	m.SetOwnerReferences(nil)
	if has {
		m.SetLabels(map[string]string{MoveLabel: value})
	}
	return object, nil
}
