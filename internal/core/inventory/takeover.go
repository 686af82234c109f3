package inventory

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ErrChanged is in the chain of the error of a write that was not done because the
// object is no longer as it was read: it may have another owner now.
var ErrChanged = errors.New("it was changed after it was read")

// TakeOverFields returns the managed fields that a live object must have before
// the set us applies it as its owner, and whether they differ from those it has.
// These become fields of the set, so that what it does not apply is removed:
//   - those of sets that are gone, and of the field manager that all sets had once;
//   - of an object that is Free or Foreign, those of plain clients (IsLegacy);
//   - of an object that is Foreign or of OtherSet, those of its owner, which is
//     the field manager of the label or annotation that it is known by.
//
// Those of other living sets, which share the object, of controllers of the
// workload cluster, of people who edited single fields and of subresources stay.
// It returns an error if the fields of an entry cannot be read.
func TakeOverFields(live metav1.Object, us Parent, living Living) ([]metav1.ManagedFieldsEntry, bool, error) {
	before := ownerOf(live, us, living)
	others := living.managers(us.ID())
	unowned := before.claim == Free || before.claim == Foreign
	owned := before.claim == Foreign || before.claim == OtherSet
	from := func(e metav1.ManagedFieldsEntry) bool {
		return isProvider(e.Manager) && !others[e.Manager] ||
			unowned && isLegacyOf(live, e) ||
			owned && owns(e, before.mark)
	}
	return MoveFields(live.GetManagedFields(), us.FieldManager(), from)
}

// isLegacyOf reports whether the entry IsLegacy and moves. Many operators have
// binaries named as that of Cluster API: where another client has brought the
// object, that field manager is an operator which added, for example, a CA bundle.
func isLegacyOf(live metav1.Object, e metav1.ManagedFieldsEntry) bool {
	return IsLegacy(e) && (e.Manager != capiManager || !isBroughtByOther(live))
}

// isBroughtByOther reports whether a set has applied the live object or taken its
// fields over, or a plain client other than a ClusterResourceSet wrote it when it
// was created and not since. Who wrote it again has a later time and is not known
// to have created it.
func isBroughtByOther(live metav1.Object) bool {
	created := live.GetCreationTimestamp()
	for _, e := range live.GetManagedFields() {
		if isProvider(e.Manager) || e.Manager != capiManager && IsLegacy(e) && e.Time.Equal(&created) {
			return true
		}
	}
	return false
}
