package clusterbundle

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// errLetGo is in the reason to let a ClusterBundle go without touching the
// workload cluster.
var errLetGo = errors.New("nothing more is removed from the workload cluster")

func letGo(why string) error { return fmt.Errorf("%s: %w", why, errLetGo) }

// uninstallBlockers are asked in order, as blockers are, about a ClusterBundle that
// is being deleted. Each has a reason to let it go, or to wait, or none.
var uninstallBlockers = []blocker{
	clusterGone,        // let go: what was in the cluster goes with its machines
	movedAway,          // let go: another management cluster has it now
	pausedUninstall,    // let go if it was paused before anybody saw the deletion; else wait
	retained,           // let go: somebody changed their mind
	selectedAgain,      // let go: deleted by hand, or opted in again; a new one takes over
	suspendedUninstall, // wait for the set
	noControlPlaneUp,   // wait: nobody would answer
}

// clusterGone looks for the very Cluster that the ClusterBundle was made for: one
// that was made anew under its name has nothing of it.
func clusterGone(s *scope) error {
	name := s.clusterBundle.Spec.ClusterName
	switch {
	case s.cluster == nil || !isOwner(s.cluster, s.clusterBundle):
		return letGo(fmt.Sprintf("Cluster %s is gone", name))
	case !s.cluster.DeletionTimestamp.IsZero():
		return letGo(fmt.Sprintf("Cluster %s is being deleted", name))
	}
	return nil
}

func isOwner(cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle) bool {
	return slices.ContainsFunc(cb.OwnerReferences, func(owner metav1.OwnerReference) bool { return owner.UID == cluster.UID })
}

func movedAway(s *scope) error {
	if capi.IsMovedAway(s.clusterBundle) {
		return letGo("the ClusterBundle was moved to another management cluster")
	}
	return nil
}

func pausedUninstall(s *scope) error {
	err := paused(s)
	if err != nil && !hasBegun(s.clusterBundle) {
		return letGo("the ClusterBundle was deleted while it, its Cluster or its set was paused")
	}
	return err
}

// hasBegun reports whether the deletion of a ClusterBundle was seen while nothing
// was paused. A status that is lost, as in a move, means that it was not.
func hasBegun(cb *v1alpha1.ClusterBundle) bool {
	c := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.DeletingCondition)
	return c != nil && c.Status == metav1.ConditionTrue && c.Reason == v1alpha1.RemovingReason
}

func retained(s *scope) error {
	if s.wish().DeletionPolicy == v1alpha1.DeleteDeletionPolicy {
		return nil
	}
	return letGo("the deletionPolicy is no longer Delete")
}

func selectedAgain(s *scope) error {
	if s.set == nil || !s.set.DeletionTimestamp.IsZero() {
		return nil
	}
	selector, err := capi.SelectorOf(s.set)
	if err != nil {
		return err
	}
	if selector.Matches(labels.Set(s.cluster.Labels)) {
		return letGo(fmt.Sprintf("ClusterBundleSet %s selects Cluster %s", s.set.Name, s.cluster.Name))
	}
	return nil
}

func suspendedUninstall(s *scope) error {
	err := suspended(s)
	if err != nil && s.set == nil {
		return fault.Wait(v1alpha1.SuspendedReason, 0,
			fmt.Errorf("%w and gone: set spec.suspend of the ClusterBundle to false", err))
	}
	return err
}

// wish is what is asked for now: by the set, and when that is gone by what it left
// in the ClusterBundle, of which nobody updates the spec any more.
func (s *scope) wish() v1alpha1.ClusterBundleSpec {
	wish := s.clusterBundle.Spec
	if s.set != nil {
		wish.DeletionPolicy, wish.CRDs, wish.Suspend = s.set.Spec.DeletionPolicy, s.set.Spec.CRDs, s.set.Spec.Suspend
	}
	return wish
}
