package clusterbundle

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// uninstallSteps returns what a reconcile does, in order, with a ClusterBundle that
// is being deleted and must not be gone before what it applied is.
func (r *Reconciler) uninstallSteps() []step {
	return []step{
		r.findCluster,   // the Cluster that the ClusterBundle is for, if it is still there
		r.getSet,        // the set that it is of, if it is still there
		checkUninstall,  // whether to let go or to wait: no step behind this one runs then
		beginUninstall,  // the status says so before the first object goes
		r.connect,       // to the workload cluster
		r.removeObjects, // from it, as far as is possible now
	}
}

// uninstall takes the steps until one returns an error. When nothing is left, or
// is to be left alone, the finalizer goes.
func (r *Reconciler) uninstall(ctx context.Context, cb *v1alpha1.ClusterBundle) (ctrl.Result, error) {
	key, before, s := client.ObjectKeyFromObject(cb), cb.DeepCopy(), &scope{clusterBundle: cb}
	r.holds.drop(key)
	r.memories.dropPasses(key)
	err := r.runUninstall(ctx, s)
	if err == nil || errors.Is(err, errLetGo) {
		return r.dropFinalizer(ctx, s, err)
	}
	if errors.Is(err, errNotOurs) {
		r.forget(key)
		return ctrl.Result{}, nil
	}
	setUninstallStatus(s, err)
	result, err := r.Status.Finish(ctx, cb, before, err)
	return status.Resync(result, err, r.SyncPeriod)
}

func (r *Reconciler) runUninstall(ctx context.Context, s *scope) error {
	var err error
	for _, step := range r.uninstallSteps() {
		if err = step(ctx, s); err != nil {
			break
		}
	}
	if s.removed == nil {
		r.Watches.Stop(client.ObjectKeyFromObject(s.clusterBundle))
	}
	if errors.Is(err, workload.ErrNotConnected) {
		err = fault.Wrap("what was applied is still to be removed", r.diagnose(ctx, s.cluster, err))
	}
	return err
}

// findCluster reads the Cluster of a ClusterBundle; nil if it does not exist.
func (r *Reconciler) findCluster(ctx context.Context, s *scope) error {
	cluster := &clusterv1.Cluster{}
	err := r.Client.Get(ctx, clusterKey(s.clusterBundle), cluster, client.UnsafeDisableDeepCopy)
	if err == nil {
		s.cluster = cluster
	}
	return client.IgnoreNotFound(err)
}

// checkUninstall returns the reason of the first blocker that has one.
func checkUninstall(_ context.Context, s *scope) error { return firstReason(uninstallBlockers, s) }

// beginRetry is when to look again once the status says so, or at what ended a
// removal.
const beginRetry = 10 * time.Millisecond

// beginUninstall ends the first reconcile that may remove something: what is paused
// later must be known to have begun, whatever happens to this process.
func beginUninstall(_ context.Context, s *scope) error {
	if hasBegun(s.clusterBundle) {
		return nil
	}
	return fault.Wait(v1alpha1.RemovingReason, beginRetry, errors.New("what was applied is to be removed"))
}

// dropFinalizer lets a ClusterBundle go, with the reason in an event: nil when
// everything was removed.
func (r *Reconciler) dropFinalizer(ctx context.Context, s *scope, why error) (ctrl.Result, error) {
	cb := s.clusterBundle
	// Others have finalizers in the list, too.
	patch := client.MergeFromWithOptions(cb.DeepCopy(), client.MergeFromWithOptimisticLock{})
	controllerutil.RemoveFinalizer(cb, v1alpha1.UninstallFinalizer)
	if err := r.Client.Patch(ctx, cb, patch); err != nil {
		if apierrors.IsConflict(err) {
			return ctrl.Result{RequeueAfter: status.StaleRetry}, nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	switch {
	case why != nil:
		r.Status.Event(cb, "NotUninstalled", "%s", why)
	case s.removed.NoParent:
		r.Status.Event(cb, "Uninstalled", "Cluster %s has no inventory of the set: nothing was removed", cb.Spec.ClusterName)
	default:
		r.Status.Event(cb, "Uninstalled", "everything was removed from Cluster %s", cb.Spec.ClusterName)
	}
	r.forget(client.ObjectKeyFromObject(cb))
	return ctrl.Result{}, nil
}

// setUninstallStatus computes the status of an uninstall that is not done.
func setUninstallStatus(s *scope, err error) {
	cb := s.clusterBundle
	cb.Status.ObservedGeneration = cb.Generation
	status.SetReady(cb, err, "")
	status.SetPaused(cb, pauseOf(err))
	status.SetCondition(cb, v1alpha1.DeletingCondition, true, v1alpha1.RemovingReason, err.Error())
	if s.removed == nil {
		// What was there before may still be.
		return
	}
	status.SetCondition(cb, v1alpha1.AppliedCondition, false, v1alpha1.RemovingReason, "")
	cb.Status.Phases = nil
	cb.Status.Phase = fmt.Sprintf("removing, %d left", s.removed.Left)
}
