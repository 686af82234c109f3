package capi

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// NeedsUninstall reports whether what a ClusterBundle applied is to be removed
// before the ClusterBundle is gone.
func NeedsUninstall(cb *v1alpha1.ClusterBundle) bool {
	return slices.Contains(cb.Finalizers, v1alpha1.UninstallFinalizer)
}

// UninstallChanges is a source of the Clusters from which something is to be
// removed, or no longer: for SetupConnecting, which has them connected as long.
func UninstallChanges(cache ctrlcache.Cache) source.Source {
	enqueue := func(cb *v1alpha1.ClusterBundle, q queue) {
		q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.ClusterName}})
	}
	return source.Kind(cache, &v1alpha1.ClusterBundle{}, handler.TypedFuncs[*v1alpha1.ClusterBundle, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*v1alpha1.ClusterBundle], q queue) {
			if NeedsUninstall(e.Object) {
				enqueue(e.Object, q)
			}
		},
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*v1alpha1.ClusterBundle], q queue) {
			if NeedsUninstall(e.ObjectOld) != NeedsUninstall(e.ObjectNew) {
				enqueue(e.ObjectNew, q)
			}
		},
		// The last state of one that is gone has no finalizer any more.
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*v1alpha1.ClusterBundle], q queue) {
			enqueue(e.Object, q)
		},
	})
}
