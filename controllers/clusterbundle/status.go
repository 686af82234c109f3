package clusterbundle

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// setStatus computes the status from what a reconcile found.
func setStatus(cb *v1alpha1.ClusterBundle, found findings) {
	if keepsStatus(cb, found) {
		return
	}
	pause, looked := pauseOf(found.err), found.passed != nil && found.passed.Known
	status.SetPaused(cb, pause)
	if pause == nil || !isCurrent(cb) {
		status.SetReady(cb, found.err, "")
	}
	if pause == nil || looked {
		cb.Status.ObservedGeneration = cb.Generation
	}
	setUpToDate(cb, found.choice)
	status.SetCondition(cb, v1alpha1.DeletingCondition, false, v1alpha1.NotDeletingReason, "")
	if !looked {
		// What the last pass found is still the best that is known.
		return
	}
	setApplied(cb, *found.passed)
	cb.Status.Phases = phaseStatuses(found.passed.Phases)
	cb.Status.Phase = phaseText(*found.passed)
}

// isCurrent reports whether the status is about the spec as it is. What was known then
// stays while nothing is done: a pause is nothing that is wrong. What changed since is
// not delivered, and where nothing is known, as after a move, the generation that was
// observed stays 0.
func isCurrent(cb *v1alpha1.ClusterBundle) bool {
	return cb.Status.ObservedGeneration > 0 && cb.Status.ObservedGeneration == cb.Generation
}

// resumedAt returns since when a ClusterBundle is no longer paused; now if its status
// says that it is.
func resumedAt(cb *v1alpha1.ClusterBundle, now time.Time) time.Time {
	c := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.PausedCondition)
	switch {
	case c == nil:
		return time.Time{}
	case c.Status == metav1.ConditionTrue:
		return now
	}
	return c.LastTransitionTime.Time
}

// keepsStatus reports whether a reconcile found nothing that speaks against a
// ClusterBundle that is Ready: a manager that has just started does not know yet
// what a tag stands for, and is not connected yet. The workload cluster does not
// care.
func keepsStatus(cb *v1alpha1.ClusterBundle, found findings) bool {
	starting := errors.Is(found.err, library.ErrFetching) ||
		found.starting && errors.Is(found.err, workload.ErrNotConnected)
	return starting && isCurrent(cb) &&
		meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.ReadyCondition)
}

func setApplied(cb *v1alpha1.ClusterBundle, passed rollout.Outcome) {
	if passed.Applied() {
		status.SetCondition(cb, v1alpha1.AppliedCondition, true, v1alpha1.AppliedReason, "")
		return
	}
	status.SetCondition(cb, v1alpha1.AppliedCondition, false, v1alpha1.ProgressingReason, "")
}

func phaseStatuses(phases []rollout.PhaseOutcome) []v1alpha1.PhaseStatus {
	statuses := make([]v1alpha1.PhaseStatus, len(phases))
	for i, phase := range phases {
		statuses[i] = v1alpha1.PhaseStatus{
			Name:           phase.Name,
			State:          phase.State,
			Objects:        int32(phase.Objects), //nolint:gosec // at most 10,000 by the limits
			Ready:          int32(phase.Ready),   //nolint:gosec // at most 10,000 by the limits
			StartTime:      timeOf(phase.Times.Started),
			CompletionTime: timeOf(phase.Times.Completed),
			Message:        status.Message(phase.Message),
		}
	}
	return statuses
}

func timeOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return new(metav1.NewTime(t))
}

// phaseText returns where the rollout is, for the column of kubectl get.
func phaseText(passed rollout.Outcome) string {
	total := len(passed.Phases)
	if passed.Current >= total {
		return fmt.Sprintf("complete %d/%d", total, total)
	}
	return fmt.Sprintf("%s %d/%d", passed.Phases[passed.Current].Name, passed.Current+1, total)
}

// reportPhases records an event for each phase that became ready.
func (r *Reconciler) reportPhases(after, before *v1alpha1.ClusterBundle) {
	for _, phase := range completed(after, before) {
		r.Status.Event(after, "PhaseReady", "phase %s is ready: %d objects", phase.Name, phase.Objects)
	}
}

// maxRepaired is how many objects an event names.
const maxRepaired = 5

// reportRepairs records an event for the objects that a pass repaired.
func (r *Reconciler) reportRepairs(cb *v1alpha1.ClusterBundle, passed *rollout.Outcome) {
	if passed != nil && len(passed.Repaired) > 0 {
		r.Status.Event(cb, "Repaired", "repaired, since it was missing or changed: %s",
			text.List(passed.Repaired, maxRepaired, ", "))
	}
}

// completed returns the phases that completed since the status before.
func completed(after, before *v1alpha1.ClusterBundle) []v1alpha1.PhaseStatus {
	was := make(map[string]*metav1.Time)
	for _, phase := range before.Status.Phases {
		was[phase.Name] = phase.CompletionTime
	}
	var phases []v1alpha1.PhaseStatus
	for _, phase := range after.Status.Phases {
		timed := phase.StartTime != nil && phase.CompletionTime != nil
		if timed && !phase.CompletionTime.Equal(was[phase.Name]) {
			phases = append(phases, phase)
		}
	}
	return phases
}
