package clusterbundle

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

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
	passed := r.rolloutOf(s).Run(ctx)
	if passed.Err == nil {
		r.holds.drop(key)
	}
	r.Watches.Want(key, s.workload, passed.Targets)
	s.passed = &passed
	return passed.Err
}

// rolloutOf puts together what a pass works with.
func (r *Reconciler) rolloutOf(s *scope) rollout.Rollout {
	phases := make([]rollout.Phase, len(s.release.Phases))
	for i, phase := range s.release.Phases {
		phases[i] = rollout.Phase{ReadyWhen: s.bundle.ReadyWhen[i], Timeout: defaultTimeout}
		if phase.Timeout != nil {
			phases[i].Timeout = phase.Timeout.Duration
		}
	}
	cb := s.clusterBundle
	return rollout.Rollout{
		Cluster: s.workload,
		Parent:  inventory.ParentOf(cb.Namespace, cb.Spec.SetName),
		Release: rollout.Release{
			Bundle: bundleKey(cb).String(), Version: s.release.Version, Digest: string(s.bundle.Digest),
			Plan: s.bundle.Plan, Phases: phases, JSON: s.bundle.JSON,
		},
		Adoption: cb.Spec.Adoption,
		Budget:   r.Budget,
		Now:      r.Clock.Now(),
	}
}
