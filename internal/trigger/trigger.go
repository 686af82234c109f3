package trigger

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Channel carries events: the names of objects of which something changed.
type Channel struct {
	done   <-chan struct{}
	events chan event.GenericEvent
}

// NewChannel returns a Channel that carries events until ctx is done.
func NewChannel(ctx context.Context) *Channel {
	return &Channel{done: ctx.Done(), events: make(chan event.GenericEvent)}
}

// Notify sends an event about the named object. It returns when a controller has
// received it or the Channel's context is done.
func (c *Channel) Notify(name types.NamespacedName) {
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name}}
	select {
	case c.events <- event.GenericEvent{Object: object}:
	case <-c.done:
	}
}

// Source puts what toItems returns for the named object of each event into a
// controller's queue after the delay. An item that is waiting already is not
// added twice, so the delay collects events.
func Source[T comparable](
	c *Channel, delay time.Duration, toItems func(context.Context, types.NamespacedName) []T,
) source.TypedSource[T] {
	generic := func(ctx context.Context, e event.GenericEvent, queue workqueue.TypedRateLimitingInterface[T]) {
		name := types.NamespacedName{Namespace: e.Object.GetNamespace(), Name: e.Object.GetName()}
		for _, item := range toItems(ctx, name) {
			queue.AddAfter(item, delay)
		}
	}
	return source.TypedChannel(c.events, handler.TypedFuncs[client.Object, T]{GenericFunc: generic})
}

// Itself is the function for Source that returns the request for the named object.
func Itself(_ context.Context, name types.NamespacedName) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: name}}
}
