package clusterbundle

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// removeObjects removes what was applied from the workload cluster, as far as is
// possible now, and watches what the rest waits for.
func (r *Reconciler) removeObjects(ctx context.Context, s *scope) error {
	living, err := r.living(ctx, s) // without this set: its ClusterBundle is being deleted
	if err != nil {
		return err
	}
	key, guard := client.ObjectKeyFromObject(s.clusterBundle), r.removalGuard(ctx, s.clusterBundle, s.wish().CRDs)
	ctx, end := r.running.begin(ctx, s.clusterBundle, guard)
	defer end()
	removed := rollout.Removal{
		Cluster: s.requests,
		Parent:  inventory.ParentOf(s.clusterBundle.Namespace, s.clusterBundle.Spec.SetName),
		CRDs:    s.wish().CRDs,
		Living:  living,
		Guard:   guard,
		Memory:  r.memories.of(s.clusterBundle, s.workload).removal,
		Now:     r.Clock.Now,
	}.Run(ctx)
	s.removed = &removed
	r.Watches.Set(key, s.workload, removed.Targets)
	return removed.Err
}

// removalGuard returns a function that returns why a removal that is under way must
// not write any more: its ClusterBundle is gone or another one, a blocker has a reason,
// another manager has it, or the policy for CustomResourceDefinitions is another. It reads from the cache. What
// is let go the next reconcile decides.
func (r *Reconciler) removalGuard(
	ctx context.Context, began *v1alpha1.ClusterBundle, crds v1alpha1.CRDPolicy,
) func() error {
	ctx = context.WithoutCancel(ctx) // it is also asked when the removal was ended
	return func() error {
		now := &scope{clusterBundle: &v1alpha1.ClusterBundle{}}
		err := r.Client.Get(ctx, client.ObjectKeyFromObject(began), now.clusterBundle, client.UnsafeDisableDeepCopy)
		if apierrors.IsNotFound(err) || err == nil && now.clusterBundle.UID != began.UID {
			return changedMeanwhile("the ClusterBundle is gone")
		}
		if errors.Join(err, r.findCluster(ctx, now), r.getSet(ctx, now)) != nil {
			return nil // not the cache's word: the next reconcile looks again
		}
		if !r.Filter.HasSetOn(now.set, now.cluster, now.clusterBundle) {
			return fault.Wait(v1alpha1.ProgressingReason, 0, errNotOurs)
		}
		// The cache may not show yet that it has begun.
		now.clusterBundle.Status = *began.Status.DeepCopy()
		reason := firstReason(uninstallBlockers, now)
		if errors.Is(reason, errLetGo) {
			return fault.Wait(v1alpha1.ProgressingReason, beginRetry, errors.New(reason.Error()))
		}
		if reason == nil && now.wish().CRDs != crds {
			return fault.Wait(v1alpha1.ProgressingReason, beginRetry, errors.New("crds is another: the pass was ended"))
		}
		return reason
	}
}
