package rollout

import (
	"context"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

// watchMembers adds a target for the members of the inventory of each kind among
// the objects, and returns these targets.
func (p *pass) watchMembers(ctx context.Context, objects []plan.Object) ([]Target, error) {
	var targets []Target
	for _, object := range objects {
		resource, _, err := p.mapper.locate(ctx, object)
		if err != nil {
			return nil, err
		}
		target := Target{Resource: resource, Label: p.memberLabel()}
		p.watch(target)
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return targets, nil
}

// watchReadyWhen adds a target for the object of an expression, and returns where
// it is.
func (p *pass) watchReadyWhen(
	ctx context.Context, expression *readiness.Expression,
) (manifest.Resource, manifest.Ref, error) {
	ref := refOf(expression.Object())
	resource, err := p.mapper.mappingFor(ctx, ref)
	if err != nil {
		return resource, ref, err
	}
	ref = withPathNamespace(resource, ref)
	p.watch(Target{Resource: resource, Namespace: ref.Namespace, Name: ref.Name})
	return resource, ref, nil
}

// watchComplete adds the targets of phases that are complete: their watches stay
// open while later phases go on, so that nothing has to be looked at again for a
// watch that begins anew.
func (p *pass) watchComplete(ctx context.Context, phases []plan.Phase) error {
	for i, phase := range phases {
		for _, step := range phase.Steps {
			if step.Gate != plan.GateWorkloads {
				continue
			}
			if _, err := p.watchMembers(ctx, step.Objects); err != nil {
				return err
			}
		}
		for _, expression := range p.Release.Phases[i].ReadyWhen {
			if _, _, err := p.watchReadyWhen(ctx, expression); err != nil {
				return err
			}
		}
	}
	return nil
}

// watch adds a target, unless it is there.
func (p *pass) watch(target Target) {
	if !slices.Contains(p.targets, target) {
		p.targets = append(p.targets, target)
	}
}
