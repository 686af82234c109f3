package status

import (
	"cmp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// recordTransition records an event when the Ready condition of an object went
// over to another status or another reason. It is a Warning unless err, the error
// of the reconcile, is nil or a Wait.
func (w *Writer) recordTransition(after, before Object, err error) {
	now := meta.FindStatusCondition(after.GetConditions(), v1alpha1.ReadyCondition)
	was := meta.FindStatusCondition(before.GetConditions(), v1alpha1.ReadyCondition)
	if now == nil || was != nil && was.Status == now.Status && was.Reason == now.Reason {
		return
	}
	kind := corev1.EventTypeNormal
	if err != nil && fault.ClassOf(err) != fault.ClassWait {
		kind = corev1.EventTypeWarning
	}
	w.recorder.Eventf(after, nil, kind, now.Reason, "Reconcile", "%s", cmp.Or(now.Message, now.Reason))
}

// Event records a normal event about an object.
func (w *Writer) Event(object Object, reason, format string, args ...any) {
	w.recorder.Eventf(object, nil, corev1.EventTypeNormal, reason, "Reconcile", format, args...)
}
