package capi

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// ClusterChanged lets through the events of Clusters that are new or gone, and of
// those of which the facts that a controller works with changed. The heartbeats
// of a Cluster, its status, do not pass.
func ClusterChanged[F comparable](facts func(*clusterv1.Cluster) F) predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return facts(e.ObjectOld.(*clusterv1.Cluster)) != facts(e.ObjectNew.(*clusterv1.Cluster))
	}}
}

// Delayed leads to what toKeys returns of an object, before and after a change of it,
// once for all events of the delay.
func Delayed(
	toKeys func(ctx context.Context, object client.Object) []types.NamespacedName, delay time.Duration,
) handler.EventHandler {
	add := func(ctx context.Context, q queue, objects ...client.Object) {
		for _, object := range objects {
			for _, key := range toKeys(ctx, object) {
				q.AddAfter(reconcile.Request{NamespacedName: key}, delay)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { add(ctx, q, e.Object) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) { add(ctx, q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { add(ctx, q, e.Object) },
	}
}
