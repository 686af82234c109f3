package placement

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

// Placement is one set on one Cluster of its namespace: an item of the queue.
type Placement struct{ Namespace, Set, Cluster string }

// clusterKey is the name of the Cluster.
func (p Placement) clusterKey() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Cluster}
}

// setKey is the name of the set.
func (p Placement) setKey() types.NamespacedName {
	return types.NamespacedName{Namespace: p.Namespace, Name: p.Set}
}

// versions returns the Kubernetes versions of workload clusters to choose releases
// by, where known is the one by which the last was chosen; so it is with an error. The
// error for a cluster that is not connected is a fault.Wait.
type versions interface {
	Version(ctx context.Context, cluster client.ObjectKey, known string) (release.Settled, error)
}

// selector chooses releases without blocking.
type selector interface {
	Select(bundle *v1alpha1.Bundle, q release.Query) (release.Selection, error)
}

// recorder records events.
type recorder interface {
	Event(object status.Object, reason, format string, args ...any)
}

// Reconciler reconciles placements. All fields but Filter and SyncPeriod are required.
type Reconciler struct {
	Client   client.Client
	Filter   capi.Filter
	Bundles  capi.Bundles
	Versions versions
	Library  selector
	Events   recorder
	// BundleEvents names the Bundles of which a source was resolved or fetched.
	BundleEvents *trigger.Channel
	// ConnectionEvents names the Clusters whose connection, or version of Kubernetes,
	// changed.
	ConnectionEvents *trigger.Channel
	// SyncPeriod is the least time after which a placement is looked at again
	// though nothing happened: an upgrade of Kubernetes has no event. 0 for never.
	SyncPeriod time.Duration
	// NeverHolds is true where no set may hold back upgrades of Kubernetes.
	NeverHolds bool
}

var _ reconcile.TypedReconciler[Placement] = (*Reconciler)(nil)

// Reconcile makes the ClusterBundle of a placement what the set and the Cluster
// ask for. Its status is written by the controller of ClusterBundles.
func (r *Reconciler) Reconcile(ctx context.Context, p Placement) (ctrl.Result, error) {
	selected, err := r.place(ctx, p)
	result, err := status.Result(err)
	if !selected {
		return result, err
	}
	return status.Resync(result, err, r.SyncPeriod)
}

// place deletes the ClusterBundle of a placement if the set does not select the
// Cluster or one of them is gone, else it makes it and pins a release in it.
// While one of them is paused, or another manager's, it does nothing. It reports whether the set selects
// the Cluster, as far as it looked.
func (r *Reconciler) place(ctx context.Context, p Placement) (selected bool, err error) {
	set, cluster, err := r.getSetAndCluster(ctx, p)
	if err != nil {
		return false, err
	}
	if isPaused(set, cluster) || !r.Filter.HasSetOn(set, cluster, nil) {
		return false, nil
	}
	if selected, err = selects(set, cluster); err != nil {
		return false, err
	}
	existing, err := r.existing(ctx, p)
	if err != nil {
		return selected, err
	}
	if !selected {
		return false, r.withdraw(ctx, set, cluster, existing)
	}
	if existing == nil {
		if existing, err = r.create(ctx, set, cluster); err != nil {
			return true, err
		}
	}
	if isTerminating(existing) {
		return true, nil // another one is made when it is gone
	}
	return true, r.pin(ctx, set, cluster, existing)
}

// existing returns the ClusterBundle of a placement, nil if there is none.
func (r *Reconciler) existing(ctx context.Context, p Placement) (*v1alpha1.ClusterBundle, error) {
	// By the Cluster: it has few sets, while a set may have thousands of Clusters.
	found, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, p.Namespace, p.Cluster)
	for i := range found {
		if found[i].Spec.SetName == p.Set {
			return found[i].DeepCopy(), err
		}
	}
	return nil, err
}
