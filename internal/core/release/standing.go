package release

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// IsReady reports whether the release that is pinned is known to be Ready on its
// Cluster. It is not where the status is absent or about an older spec.
func IsReady(cb *v1alpha1.ClusterBundle) bool {
	return isCurrent(cb) && meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.ReadyCondition)
}

// FailureOf returns why the release that is pinned is known to have failed on its
// Cluster: it is Stalled, and was never complete. It is empty for all others.
func FailureOf(cb *v1alpha1.ClusterBundle) string {
	stalled := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.StalledCondition)
	if !isCurrent(cb) || !meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.StalledCondition) || !HasOpenPhase(cb) {
		return ""
	}
	return cmp.Or(stalled.Message, stalled.Reason)
}

// HasOpenPhase reports whether a phase has never been complete.
func HasOpenPhase(cb *v1alpha1.ClusterBundle) bool {
	return slices.ContainsFunc(cb.Status.Phases, func(p v1alpha1.PhaseStatus) bool { return p.CompletionTime == nil })
}

// isCurrent reports whether the status is about the spec as it is.
func isCurrent(cb *v1alpha1.ClusterBundle) bool {
	return cb.Status.ObservedGeneration > 0 && cb.Status.ObservedGeneration == cb.Generation
}
