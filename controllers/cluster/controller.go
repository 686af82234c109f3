package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// Reconciler reconciles Clusters. All fields are required.
type Reconciler struct {
	Client client.Client
}

// Reconcile writes the condition of a Cluster. One that is paused may be about to be
// moved: nothing of it is written. When it goes on, its event leads here again.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cluster := &clusterv1.Cluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !cluster.DeletionTimestamp.IsZero() || capi.IsPaused(cluster) {
		return ctrl.Result{}, nil
	}
	addons, err := r.addonsOf(ctx, cluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	return result(r.setCondition(ctx, cluster, summary(addons)))
}

// result is that of a reconcile. A Cluster that somebody else has written since it was
// read is no error: it is read again when the cache has it.
func result(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: status.StaleRetry}, nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}
