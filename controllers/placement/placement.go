package placement

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// withdraw deletes a ClusterBundle that is no longer asked for, with what the set
// says now about what was applied. While the ClusterBundle is paused it stays, as
// long as there is a workload cluster that something may be removed from.
func (r *Reconciler) withdraw(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, existing *v1alpha1.ClusterBundle,
) error {
	if existing == nil || isTerminating(existing) || !r.Filter.HasSetOn(set, cluster, existing) {
		return nil
	}
	lives := cluster != nil && !isTerminating(cluster)
	if lives && capi.NeedsUninstall(existing) && capi.IsPaused(nil, existing) {
		return nil
	}
	if lives && set != nil {
		before := existing.DeepCopy()
		setRemoval(existing, set)
		if err := r.write(ctx, existing, before); err != nil {
			return client.IgnoreNotFound(err)
		}
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, existing, client.Preconditions{UID: &existing.UID}))
}

func isTerminating(object metav1.Object) bool { return !object.GetDeletionTimestamp().IsZero() }

// write writes what of a ClusterBundle differs from before. Others have finalizers
// in it, too: a change of those is made to the version that was read. So is that of a
// release that was pinned, which the status may have led to.
func (r *Reconciler) write(ctx context.Context, cb, before *v1alpha1.ClusterBundle) error {
	if equality.Semantic.DeepEqual(cb, before) {
		return nil
	}
	patch := client.MergeFrom(before)
	isReplaced := before.Spec.Version != "" && cb.Spec.Digest != before.Spec.Digest
	if isReplaced || !slices.Equal(cb.Finalizers, before.Finalizers) {
		patch = client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	}
	return r.Client.Patch(ctx, cb, patch)
}

// create makes the ClusterBundle of a placement, with no release pinned yet.
func (r *Reconciler) create(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster,
) (*v1alpha1.ClusterBundle, error) {
	wanted := &v1alpha1.ClusterBundle{}
	wanted.Namespace, wanted.Name = set.Namespace, nameOf(set.Name, cluster.Name)
	r.setDesired(wanted, set, cluster)
	err := r.Client.Create(ctx, wanted)
	if !apierrors.IsAlreadyExists(err) {
		return wanted, err
	}
	// "a" on "b-c" and "a-b" on "c" have one plain name.
	taken := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(wanted), taken); err != nil {
		return nil, err
	}
	if taken.Spec.SetName == set.Name && taken.Spec.ClusterName == cluster.Name {
		return taken, nil
	}
	wanted.ResourceVersion, wanted.Name = "", hashedName(set.Name, cluster.Name)
	return wanted, client.IgnoreAlreadyExists(r.Client.Create(ctx, wanted))
}

// pin chooses the release for a placement and writes what changed.
func (r *Reconciler) pin(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle,
) error {
	before := cb.DeepCopy()
	if isOfAnother(cb, cluster) {
		forget(cb)
	}
	r.setDesired(cb, set, cluster)
	var change string
	var err error
	if !isSettled(cb) {
		change, err = r.choose(ctx, set, cluster, cb)
		keepEditsFromRollback(cb, before)
		keepFromRollback(set, cb, before)
	}
	if writeErr := r.write(ctx, cb, before); writeErr != nil {
		return fault.Join(err, client.IgnoreNotFound(writeErr))
	}
	if change != "" {
		r.Events.Event(cb, "ReleasePinned", "%s", change)
	}
	return err
}

// keepEditsFromRollback notes that a release was Ready with other edits than those that it
// is to get: what is wrong with these is no reason to return to the release before it,
// which would get them, too.
func keepEditsFromRollback(cb, before *v1alpha1.ClusterBundle) {
	pinned := v1alpha1.ReleaseReference{Version: before.Spec.Version, Digest: before.Spec.Digest}
	stays := cb.Spec.Version == pinned.Version && cb.Spec.Digest == pinned.Digest
	if stays && release.IsReady(before) && !equality.Semantic.DeepEqual(cb.Spec.Edits, before.Spec.Edits) {
		cb.Spec.Previous = &pinned
	}
}

// isSettled reports whether the release of a placement is chosen for good: with
// the strategy ApplyOnce the one that became complete in the workload cluster is.
// A release that is pinned and did not become complete may be broken. A status
// that is absent, as after a move, holds the choice back until it is known.
func isSettled(cb *v1alpha1.ClusterBundle) bool {
	if cb.Spec.Strategy != v1alpha1.ApplyOnceStrategy || cb.Spec.Version == "" {
		return false
	}
	return cb.Status.ObservedGeneration == 0 ||
		meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.ReadyCondition) ||
		len(cb.Status.Phases) > 0 && !release.HasOpenPhase(cb)
}
