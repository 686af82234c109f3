package clusterbundle

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// releases chooses and opens releases without blocking.
type releases interface {
	deliveries
	patcher

	Select(bundle *v1alpha1.Bundle, q release.Query) (release.Selection, error)
	Open(bundle types.NamespacedName, release v1alpha1.Release, kubernetes string) (*library.Bundle, error)
}

// deliveries make of an opened release what a Cluster gets, without blocking.
type deliveries interface {
	OpenFor(clusterBundle types.NamespacedName, shared *library.Bundle, cluster library.Cluster) (*library.Bundle, error)
	OpenEdited(opened *library.Bundle, edits v1alpha1.Edits) (*library.Bundle, error)
	ForgetFor(clusterBundle types.NamespacedName)
}

// patcher has patches of a set change an opened release, without blocking.
type patcher interface {
	OpenValued(clusterBundle types.NamespacedName, shared *library.Bundle, changes patch.Changes) (*library.Bundle, error)
	OpenPatched(opened *library.Bundle, changes patch.Changes) (*library.Bundle, error)
}

// Reconciler reconciles ClusterBundles. All fields but Filter, SyncPeriod and
// NeverPatches are required.
type Reconciler struct {
	Client      client.Client
	Bundles     capi.Bundles
	Filter      capi.Filter
	Status      *status.Writer
	Library     releases
	Connections *workload.Connections
	Watches     *workload.Watches
	// Budget bounds the bytes of objects in memory over all passes.
	Budget *semaphore.Weighted
	Clock  clock.PassiveClock
	// BundleEvents names the Bundles of which a source was resolved or fetched.
	BundleEvents *trigger.Channel
	// ClusterEvents names the ClusterBundles in whose workload cluster something changed, or
	// for whose Cluster the library has, or fails to have, what only it gets.
	ClusterEvents *trigger.Channel
	// ConnectionEvents names the Clusters whose connection, or version of Kubernetes,
	// changed.
	ConnectionEvents *trigger.Channel
	// SyncPeriod is the least time after which a workload cluster is looked at again
	// though nothing happened. 0 for never.
	SyncPeriod time.Duration
	// NeverPatches is true where no set may have patches.
	NeverPatches bool

	began    time.Time
	lanes    *lanes
	holds    holds
	memories memories
	running  running
}

// Reconcile makes one pass over one workload cluster and reports what it found. Of
// a ClusterBundle that is being deleted it removes what was applied, if something
// is to be removed. It comes back later if its workload cluster did not answer and no worker is to spare.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	clusterBundle, err := r.read(ctx, req.NamespacedName)
	if clusterBundle == nil || err != nil {
		return ctrl.Result{}, err
	}
	if r.Status.IsStale(clusterBundle) {
		return ctrl.Result{RequeueAfter: status.StaleRetry}, nil
	}
	silent, suspect := r.Connections.Silence(clusterKey(clusterBundle))
	leave, ok := r.lanes.enter(clusterBundle.Namespace, silent, suspect)
	if !ok {
		return ctrl.Result{RequeueAfter: wait.Jitter(laneRetry, 1)}, nil
	}
	defer leave()
	if !clusterBundle.DeletionTimestamp.IsZero() {
		return r.uninstall(ctx, clusterBundle)
	}
	before := clusterBundle.DeepCopy()
	found := r.run(ctx, &scope{clusterBundle: clusterBundle})
	if errors.Is(found.err, errNotOurs) {
		r.forget(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	setStatus(clusterBundle, found)
	result, err := r.Status.Finish(ctx, clusterBundle, before, found.err, func() {
		r.reportPhases(clusterBundle, before)
		observePhases(clusterBundle, before)
	})
	r.reportRepairs(clusterBundle, found.passed)
	return status.Resync(result, err, r.SyncPeriod)
}

// read reads a ClusterBundle that there is something to do for; else it returns nil, and
// drops what is kept of it.
func (r *Reconciler) read(ctx context.Context, key types.NamespacedName) (*v1alpha1.ClusterBundle, error) {
	clusterBundle := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(ctx, key, clusterBundle); err != nil {
		r.forget(key)
		return nil, client.IgnoreNotFound(err)
	}
	isOurs, err := r.isOurs(ctx, clusterBundle)
	if err != nil {
		return nil, err
	}
	letGo := !clusterBundle.DeletionTimestamp.IsZero() && !capi.NeedsUninstall(clusterBundle)
	if letGo || !isOurs {
		r.forget(key)
		return nil, nil //nolint:nilnil // as documented
	}
	return clusterBundle, nil
}

// forget drops what is kept of a ClusterBundle that is gone, or let go.
func (r *Reconciler) forget(key types.NamespacedName) {
	r.Watches.Stop(key)
	r.holds.drop(key)
	r.memories.drop(key)
	r.Library.ForgetFor(key)
	r.Status.Forget(key)
}
