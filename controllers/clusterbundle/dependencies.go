package clusterbundle

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/dependency"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// awaitDependencies returns what the ClusterBundle waits for before it begins its
// release: sets that it depends on and that are not complete in the workload
// cluster. They are watched there. What was begun goes on, and is repaired, whatever
// they do: half a release helps nobody.
func (r *Reconciler) awaitDependencies(ctx context.Context, s *scope) error {
	if len(s.clusterBundle.Spec.DependsOn) == 0 {
		return nil
	}
	begun, err := r.rolloutOf(s).HasBegun(ctx)
	if begun || err != nil {
		return err
	}
	living, err := r.living(ctx, s)
	if err != nil {
		return err
	}
	var unmet []error
	var targets []rollout.Target
	for _, other := range s.clusterBundle.Spec.DependsOn {
		if err := unmetBy(ctx, s, other.Name, living); err != nil {
			unmet = append(unmet, err)
			targets = append(targets, rollout.ParentTarget(inventory.ParentOf(s.clusterBundle.Namespace, other.Name)))
		}
	}
	if len(unmet) == 0 {
		return nil
	}
	r.Watches.Set(client.ObjectKeyFromObject(s.clusterBundle), s.workload, targets)
	s.waits = true
	return fault.Join(unmet...)
}

// unmetBy returns what the ClusterBundle waits for because of another set, or why
// that cannot be known.
func unmetBy(ctx context.Context, s *scope, set string, living inventory.Living) error {
	identity := inventory.ParentOf(s.clusterBundle.Namespace, set)
	parent, err := rollout.ReadParent(ctx, s.requests, identity)
	if err != nil {
		return err
	}
	_, delivers := living[identity.ID()]
	return dependency.Other{Set: set, Cluster: s.cluster.Name, Parent: parent, Delivers: delivers}.Unmet()
}
