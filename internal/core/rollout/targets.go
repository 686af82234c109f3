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
func (p *pass) watchMembers(ctx context.Context, objects []*plan.Object) ([]Target, error) {
	var targets []Target
	for _, object := range objects {
		resource, _, err := p.mapper.locate(ctx, *object)
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
	p.watch(targetOf(resource, ref))
	return resource, ref, nil
}

// targetOf is the target of one object.
func targetOf(resource manifest.Resource, ref manifest.Ref) Target {
	return Target{Resource: resource, Namespace: ref.Namespace, Name: ref.Name}
}

// watchComplete adds the targets of phases that are complete: of what has to stay
// ready, and of expressions, and, when the release is, of the content of all their objects and of
// the parent. The content of what was applied once only is not watched.
func (p *pass) watchComplete(ctx context.Context, phases []plan.Phase) error {
	for i, phase := range phases {
		for _, step := range phase.Steps {
			if _, err := p.watchMembers(ctx, p.awaited(i, step)); err != nil {
				return err
			}
		}
		for _, expression := range p.Release.Phases[i].ReadyWhen {
			if _, _, err := p.watchReadyWhen(ctx, expression); err != nil {
				return err
			}
		}
	}
	if p.Once || !p.isComplete() {
		return nil
	}
	p.watch(ParentTarget(p.Parent))
	return p.watchContent(ctx, phases)
}

// watchContent adds a target for the content of the members of each kind among the
// objects of complete phases. A kind that cannot be found is not watched.
func (p *pass) watchContent(ctx context.Context, phases []plan.Phase) error {
	for target := range p.Memory.kept {
		p.watch(target)
	}
	for _, phase := range phases {
		for _, object := range objectsOf(phase.Steps, isRepaired) {
			if p.kept[object] {
				continue
			}
			resource, _, err := p.mapper.locate(ctx, *object)
			switch {
			case endsPass(err):
				return err
			case err == nil:
				p.watch(p.contentOf(resource))
			}
		}
	}
	return nil
}

// contentOf is the target of the content of the set's members of a kind.
func (p *pass) contentOf(resource manifest.Resource) Target {
	return Target{Resource: resource, Label: p.memberLabel(), Content: true}
}

// watch adds a target, unless it is there.
func (p *pass) watch(target Target) {
	if !slices.Contains(p.targets, target) {
		p.targets = append(p.targets, target)
	}
}
