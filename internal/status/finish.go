package status

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Writer ends reconciles. All fields are required.
type Writer struct {
	// Client writes statuses.
	Client client.StatusClient
	// Recorder records events.
	Recorder events.EventRecorder
}

// Finish ends a reconcile whose result is found, nil when all is well. It writes
// the status of object where it differs from that of before, the copy from when
// the reconcile began, records an event if Ready went over to another status or
// reason, calls the reports, and returns when to reconcile again. When the status
// cannot be written, nothing is reported: the next reconcile finds the same. An
// object that is gone meanwhile is no error.
func (w Writer) Finish(
	ctx context.Context, object, before Object, found error, reports ...func(),
) (reconcile.Result, error) {
	if !equality.Semantic.DeepEqual(before, object) {
		if err := w.Client.Status().Patch(ctx, object, client.MergeFrom(before)); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(err)
		}
		w.recordTransition(object, before, found)
		for _, report := range reports {
			report()
		}
	}
	return Result(found)
}
