package clusterbundle

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// defaultTimeout is the timeout of a phase that names none: the default in the
// schema, for objects that were made before it.
const defaultTimeout = 10 * time.Minute

// makePass makes one pass over the workload cluster, and watches there what its
// gates wait for. Until all gates are open the bytes of the release are held in
// the cache directory.
func (r *Reconciler) makePass(ctx context.Context, s *scope) error {
	key := client.ObjectKeyFromObject(s.clusterBundle)
	r.holds.keep(key, s.bundle.Hold)
	living, err := r.living(ctx, s)
	if err != nil {
		return err
	}
	guard := r.guard(ctx, s)
	ctx, end := r.running.begin(ctx, s.clusterBundle, guard)
	defer end()
	rollout := r.rolloutOf(s)
	rollout.Living, rollout.Guard = living, guard
	rollout.IsQuiet = r.Watches.Look(key, s.workload)
	passed := rollout.Run(ctx)
	if passed.Err == nil {
		r.holds.drop(key)
	}
	r.Watches.Set(key, s.requests, passed.Targets)
	s.passed = &passed
	return passed.Err
}

// living returns the sets that have a ClusterBundle for the Cluster.
func (r *Reconciler) living(ctx context.Context, s *scope) (inventory.Living, error) {
	found, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, s.cluster.Namespace, s.cluster.Name)
	if err != nil {
		return nil, err
	}
	var sets []types.NamespacedName
	for i := range found {
		if found[i].DeletionTimestamp.IsZero() {
			sets = append(sets, setKey(&found[i]))
		}
	}
	return inventory.LivingOf(sets...), nil
}

// rolloutOf puts together what a pass works with.
func (r *Reconciler) rolloutOf(s *scope) rollout.Rollout {
	phases := make([]rollout.Phase, len(s.release.Phases))
	for i, phase := range s.release.Phases {
		phases[i] = rollout.Phase{
			ReadyWhen: s.bundle.ReadyWhen[i], Timeout: defaultTimeout,
			WaitForConditions: phase.WaitForConditions != nil && *phase.WaitForConditions,
		}
		if phase.Timeout != nil {
			phases[i].Timeout = phase.Timeout.Duration
		}
	}
	cb := s.clusterBundle
	return rollout.Rollout{
		Cluster: s.requests,
		Parent:  inventory.ParentOf(cb.Namespace, cb.Spec.SetName),
		Release: rollout.Release{
			Bundle: capi.BundleOf(cb).String(), Version: s.release.Version, Digest: string(s.bundle.Content),
			Plan: s.bundle.Plan, Phases: phases, JSON: s.bundle.JSON,
		},
		Adoption: cb.Spec.Adoption,
		CRDs:     cb.Spec.CRDs,

		ImmutableFields: cb.Spec.ImmutableFields,
		Once:            cb.Spec.Strategy == v1alpha1.ApplyOnceStrategy,
		Budget:          r.Budget,
		Memory:          r.memories.of(cb, s.workload).passes,
		Resumed:         resumedAt(cb, r.Clock.Now()),
		Now:             r.Clock.Now,
	}
}
