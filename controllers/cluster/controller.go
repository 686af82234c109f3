package cluster

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// Reconciler reconciles Clusters. Client is required.
type Reconciler struct {
	Client client.Client
	Filter capi.Filter
	// NeverHolds is true where no set may hold back upgrades of Kubernetes.
	NeverHolds bool
}

// Reconcile writes the condition of a Cluster, and whether upgrades are held back. One that is paused may be about to be
// moved: nothing of it is written. When it goes on, its event leads here again.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cluster := &clusterv1.Cluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !r.Filter.Has(cluster) || !cluster.DeletionTimestamp.IsZero() || capi.IsPaused(cluster) {
		return ctrl.Result{}, nil
	}
	addons, err := r.addonsOf(ctx, cluster)
	if err != nil {
		return ctrl.Result{}, err
	}
	return result(r.report(ctx, cluster, addons))
}

// report writes what a Cluster shows of its sets. If it cannot be found out whether an
// upgrade is to be held back, it is. A Cluster that is gone meanwhile is no error.
func (r *Reconciler) report(ctx context.Context, cluster *clusterv1.Cluster, addons []addon) error {
	upgrade, unknown := r.upgradeOf(ctx, cluster, addons)
	notice := upgrade.message()
	if unknown != nil {
		notice = text.Line("upgrades of Kubernetes are held back: "+unknown.Error(), 2*maxWhy)
	}
	if err := r.setHook(ctx, cluster, upgrade.holds); err != nil {
		return client.IgnoreNotFound(err)
	}
	if err := r.setCondition(ctx, cluster, summary(addons, notice)); err != nil {
		return client.IgnoreNotFound(err)
	}
	return unknown
}

// result is that of a reconcile. A Cluster that somebody else has written since it was
// read is no error: it is read again when the cache has it.
func result(err error) (ctrl.Result, error) {
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: status.StaleRetry}, nil
	}
	return ctrl.Result{}, err
}
