package status

import (
	"cmp"
	"fmt"
	"hash/fnv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

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
	w.record(after, kind, now.Reason, cmp.Or(now.Message, now.Reason))
}

// Event records a normal event about an object.
func (w *Writer) Event(object Object, reason, format string, args ...any) {
	w.record(object, corev1.EventTypeNormal, reason, fmt.Sprintf(format, args...))
}

// record records an event with a message.
func (w *Writer) record(object Object, kind, reason, message string) {
	Record(w.recorder, object, kind, reason, message)
}

// Record records an event with a message. What is recorded again of the same
// resource version within some minutes, with the same reason and action, only counts:
// the message is still that of the first. So another message has another action.
func Record(recorder events.EventRecorder, object runtime.Object, kind, reason, message string) {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(message)) // it never fails
	recorder.Eventf(object, nil, kind, reason, fmt.Sprintf("Reconcile-%08x", hash.Sum32()), "%s", message)
}
