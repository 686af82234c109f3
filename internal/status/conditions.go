package status

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// maxMessage bounds a message in bytes, by design: a status stays small
	// however many objects fail.
	maxMessage = 1024

	// stalledRetry is when a Stall is tried again: some changes are seen by no watch.
	stalledRetry = 10 * time.Minute
)

// Object is an object with conditions.
type Object interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions([]metav1.Condition)
}

// SetCondition sets a condition of the object. Its time changes with its status only.
func SetCondition(object Object, kind string, status bool, reason, message string) {
	conditions := object.GetConditions()
	meta.SetStatusCondition(&conditions, metav1.Condition{
		Type: kind, Status: statusOf(status), Reason: reason, Message: Message(message),
		ObservedGeneration: object.GetGeneration(),
	})
	object.SetConditions(conditions)
}

// SetReady sets the conditions Ready and Stalled of the object from the error
// of its reconcile, and the message of Ready from the given one if there is none.
func SetReady(object Object, err error, ready string) {
	if err == nil {
		SetCondition(object, v1alpha1.ReadyCondition, true, v1alpha1.ReadyReason, ready)
		SetCondition(object, v1alpha1.StalledCondition, false, v1alpha1.ReadyReason, "")
		return
	}
	reason := fault.ReasonOf(err, v1alpha1.InternalErrorReason)
	SetCondition(object, v1alpha1.ReadyCondition, false, reason, err.Error())
	if fault.ClassOf(err) == fault.ClassStall {
		SetCondition(object, v1alpha1.StalledCondition, true, reason, err.Error())
		return
	}
	SetCondition(object, v1alpha1.StalledCondition, false, v1alpha1.ProgressingReason, "")
}

// Result is when to reconcile again after the given error. An error that asks
// for back-off and names no time of its own is returned.
func Result(err error) (reconcile.Result, error) {
	if err == nil {
		return reconcile.Result{}, nil
	}
	after := fault.AfterOf(err)
	switch fault.ClassOf(err) {
	case fault.ClassWait:
		return reconcile.Result{RequeueAfter: after}, nil
	case fault.ClassStall:
		if after == 0 {
			after = stalledRetry
		}
		return reconcile.Result{RequeueAfter: after}, nil
	case fault.ClassRetry:
	}
	if after > 0 {
		return reconcile.Result{RequeueAfter: after}, nil
	}
	return reconcile.Result{}, err
}

// SetPaused sets the condition Paused of the object: True with the reason and the
// message of what pauses it, False if that is nil.
func SetPaused(object Object, pause error) {
	if pause != nil {
		reason := fault.ReasonOf(pause, v1alpha1.PausedReason)
		SetCondition(object, v1alpha1.PausedCondition, true, reason, pause.Error())
		return
	}
	SetCondition(object, v1alpha1.PausedCondition, false, v1alpha1.NotPausedReason, "")
}

// Message returns a text as it fits a condition or a status: one line of at most
// 1 KiB of UTF-8.
func Message(message string) string { return text.Line(message, maxMessage) }

func statusOf(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}
