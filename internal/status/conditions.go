package status

import (
	"strings"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	// maxMessage bounds a message in bytes, by design: a status stays small
	// however many objects fail.
	maxMessage = 1024

	// stalledRetry is when something that nobody may mend unseen is tried again.
	stalledRetry = 10 * time.Minute
)

// Object is an object with conditions.
type Object interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions([]metav1.Condition)
}

// Set sets a condition of the object. Its time changes with its status only.
func Set(object Object, kind string, status bool, reason, message string) {
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
		Set(object, v1alpha1.ReadyCondition, true, v1alpha1.ReadyReason, ready)
		Set(object, v1alpha1.StalledCondition, false, v1alpha1.ReadyReason, "")
		return
	}
	reason := fault.ReasonOf(err, v1alpha1.InternalErrorReason)
	Set(object, v1alpha1.ReadyCondition, false, reason, err.Error())
	if fault.ClassOf(err) == fault.ClassStall {
		Set(object, v1alpha1.StalledCondition, true, reason, err.Error())
		return
	}
	Set(object, v1alpha1.StalledCondition, false, v1alpha1.ProgressingReason, "")
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

// Message makes a text fit a condition: one line of at most 1 KiB of UTF-8, cut
// between characters.
func Message(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	if len(text) <= maxMessage {
		return text
	}
	const cut = "…"
	text = text[:maxMessage-len(cut)]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + cut
}

func statusOf(holds bool) metav1.ConditionStatus {
	if holds {
		return metav1.ConditionTrue
	}
	return metav1.ConditionFalse
}
