package readiness

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Workload returns the finding about an object by its kind: ready if kstatus
// (github.com/fluxcd/cli-utils/pkg/kstatus) calls it Current, stalled if kstatus
// calls it Failed. The object must be complete, and not nil.
//
// It differs from kstatus where that is too early or reads the clock:
//
//   - An object of the apps group is not ready before its controller has written
//     status.observedGeneration. Without it a StatefulSet or ReplicaSet of zero
//     replicas would be ready before anybody has looked at it.
//   - A Deployment that is paused, and a DaemonSet or StatefulSet with the strategy
//     OnDelete, is ready when all its Pods are available: somebody else says when
//     those of an older revision are replaced.
//   - A Job is ready when it is Complete, not when it runs.
//   - A Pod whose phase is Failed is stalled; kstatus calls it Current.
//   - A Pod that is Pending is not ready and nothing more. kstatus calls it Failed
//     15 seconds after its creation, but a Pod that cannot be scheduled is normal
//     in a cluster without nodes, and recovers by itself.
//
// A DaemonSet that wants no Pod, as in a cluster without nodes, is ready.
//
// The reason is ReadyReason or WorkloadsNotReadyReason.
func Workload(obj *unstructured.Unstructured) Finding {
	name := titleOf(obj)
	if message, ok := notObserved(obj); ok {
		return notReady(v1alpha1.WorkloadsNotReadyReason, name+": "+message)
	}
	if finding, ok := replacedByHand(obj); ok {
		return finding
	}
	result, err := status.Compute(obj)
	if err != nil {
		return notReady(v1alpha1.WorkloadsNotReadyReason, name+": "+line(err.Error()))
	}
	message := name + ": " + line(result.Message)
	switch {
	case result.Status == status.FailedStatus, phaseOf(obj) == podFailed && result.Status == status.CurrentStatus:
		return stalled(v1alpha1.WorkloadsNotReadyReason, message)
	case result.Status == status.CurrentStatus && !jobIncomplete(obj):
		return ready(message)
	default:
		return notReady(v1alpha1.WorkloadsNotReadyReason, message)
	}
}

var (
	jobKind = schema.GroupKind{Group: "batch", Kind: "Job"}
	podKind = schema.GroupKind{Kind: "Pod"}
)

const (
	podPending   = "Pending"
	podFailed    = "Failed"
	podSucceeded = "Succeeded"
)

// notObserved returns why the state of the object is not known yet, and whether
// that is so. kstatus would call some of these objects Current or Failed.
func notObserved(obj *unstructured.Unstructured) (string, bool) {
	if obj.GetDeletionTimestamp() != nil {
		return "is being deleted", true
	}
	if phaseOf(obj) == podPending {
		if c := conditionOf(obj, "PodScheduled"); c.Status == "False" {
			return line("Pod is not scheduled: " + c.Message), true
		}
		return "Pod is in the Pending phase", true
	}
	if obj.GroupVersionKind().Group == "apps" {
		if _, found, _ := unstructured.NestedFieldNoCopy(obj.Object, "status", "observedGeneration"); !found {
			return "not observed by its controller yet", true
		}
	}
	return "", false
}

// phaseOf returns the phase of a Pod, and nothing for any other kind.
func phaseOf(obj *unstructured.Unstructured) string {
	if obj.GroupVersionKind().GroupKind() != podKind {
		return ""
	}
	phase, _, _ := unstructured.NestedFieldNoCopy(obj.Object, "status", "phase")
	return stringOf(phase)
}

// jobIncomplete reports whether obj is a Job that is not Complete.
func jobIncomplete(obj *unstructured.Unstructured) bool {
	return obj.GroupVersionKind().GroupKind() == jobKind && conditionOf(obj, "Complete").Status != "True"
}
