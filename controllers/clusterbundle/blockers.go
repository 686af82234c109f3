package clusterbundle

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// getCluster reads the Cluster of a ClusterBundle. One that does not exist is a
// fault.Wait: the garbage collector takes the ClusterBundle with it.
func (r *Reconciler) getCluster(ctx context.Context, s *scope) error {
	s.cluster = &clusterv1.Cluster{}
	err := r.Client.Get(ctx, clusterKey(s.clusterBundle), s.cluster, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return fault.Wait(v1alpha1.ClusterNotFoundReason, 0,
			fmt.Errorf("Cluster %s does not exist", s.clusterBundle.Spec.ClusterName))
	}
	return err
}

// getSet reads the set of a ClusterBundle.
func (r *Reconciler) getSet(ctx context.Context, s *scope) (err error) {
	s.set, err = r.setOf(ctx, s.clusterBundle)
	return err
}

// setOf returns the set of a ClusterBundle as it is in the cache; nil if it does
// not exist: then the ClusterBundle goes as well.
func (r *Reconciler) setOf(ctx context.Context, cb *v1alpha1.ClusterBundle) (*v1alpha1.ClusterBundleSet, error) {
	set := &v1alpha1.ClusterBundleSet{}
	err := r.Client.Get(ctx, setKey(cb), set, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // as documented
	}
	return set, err
}

// blocker returns why a pass must not happen now, or nil. It is a fault.Wait that
// a watch ends.
type blocker func(*scope) error

// blockers are asked in order; the first that has a reason is reported.
var blockers = []blocker{
	paused,           // by the Cluster or by an annotation: its owner works on it, or clusterctl moves it
	clusterDeleting,  // what is in the cluster goes with its machines
	suspended,        // by the set
	noControlPlaneUp, // nobody would answer
}

// checkBlockers returns the reason of the first blocker that has one.
func checkBlockers(_ context.Context, s *scope) error {
	err := blockedBy(s)
	s.checked = err == nil
	return err
}

// blockedBy returns the reason of the first blocker of a pass that has one.
func blockedBy(s *scope) error { return firstReason(blockers, s) }

// firstReason returns the reason of the first of the blockers that has one.
func firstReason(blockers []blocker, s *scope) error {
	for _, blocked := range blockers {
		if err := blocked(s); err != nil {
			return err
		}
	}
	return nil
}

// pause is in the error of a reconcile that must leave the workload cluster alone until
// somebody lets it go on.
type pause struct{ error }

// pauseOf returns the pause in an error, nil if there is none.
func pauseOf(err error) error {
	if found, ok := errors.AsType[pause](err); ok {
		return fault.Wait(fault.ReasonOf(err, v1alpha1.PausedReason), 0, found)
	}
	return nil
}

func paused(s *scope) error {
	objects := []client.Object{s.clusterBundle}
	if s.set != nil {
		objects = append(objects, s.set)
	}
	if why := capi.WhyPaused(s.cluster, objects...); why != "" {
		return fault.Wait(v1alpha1.PausedReason, 0, pause{errors.New(why)})
	}
	return nil
}

func clusterDeleting(s *scope) error {
	if s.cluster.DeletionTimestamp.IsZero() {
		return nil
	}
	return fault.Wait(v1alpha1.ClusterNotFoundReason, 0, fmt.Errorf("Cluster %s is being deleted", s.cluster.Name))
}

// suspended asks the set itself, too: its ClusterBundle follows later.
func suspended(s *scope) error { return suspendedBy(s.wish()) }

func suspendedBy(spec v1alpha1.ClusterBundleSpec) error {
	if spec.Suspend == nil || !*spec.Suspend {
		return nil
	}
	why := pause{fmt.Errorf("ClusterBundleSet %s is suspended", spec.SetName)}
	return fault.Wait(v1alpha1.SuspendedReason, 0, why)
}

func noControlPlaneUp(s *scope) error {
	if capi.IsControlPlaneInitialized(s.cluster) {
		return nil
	}
	return fault.Wait(v1alpha1.ControlPlaneNotInitializedReason, 0,
		fmt.Errorf("the control plane of Cluster %s is not initialized yet", s.cluster.Name))
}

func ownKey(cb *v1alpha1.ClusterBundle) types.NamespacedName { return client.ObjectKeyFromObject(cb) }

func clusterKey(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.ClusterName}
}

func setKey(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.SetName}
}
