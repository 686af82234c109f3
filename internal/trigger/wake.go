package trigger

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Channel carries the names of objects that there is news of.
type Channel struct {
	done <-chan struct{}
	news chan event.GenericEvent
}

// NewChannel returns a Channel that carries until ctx is done.
func NewChannel(ctx context.Context) *Channel {
	return &Channel{done: ctx.Done(), news: make(chan event.GenericEvent)}
}

// Wake says that there is news of the named object. It returns when a
// controller has heard of it or the Channel's context is done.
func (c *Channel) Wake(name types.NamespacedName) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	select {
	case c.news <- event.GenericEvent{Object: object}:
	case <-c.done:
	}
}

// Source puts the named objects themselves into the queue, after a pause in
// which more news of the same object adds nothing.
func (c *Channel) Source(pause time.Duration) source.Source {
	return source.Channel(c.news, handler.Funcs{
		GenericFunc: func(
			_ context.Context, e event.GenericEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request],
		) {
			queue.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{
				Namespace: e.Object.GetNamespace(), Name: e.Object.GetName(),
			}}, pause)
		},
	})
}

// Mapped puts what a function makes of the named objects into the queue.
func (c *Channel) Mapped(toRequests handler.MapFunc) source.Source {
	return source.Channel(c.news, handler.EnqueueRequestsFromMapFunc(toRequests))
}
