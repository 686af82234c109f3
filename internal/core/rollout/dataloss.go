package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// findLosses finds those CustomResourceDefinitions whose change would lose objects,
// before anything of their phase is applied. If the set allows that, they are made
// anew, else they stay as they are.
func (p *pass) findLosses(ctx context.Context, objects []*plan.Object) error {
	changing := slices.DeleteFunc(slices.Clone(objects), func(object *plan.Object) bool { return !p.isChanging(object) })
	if len(changing) == 0 {
		return nil
	}
	live, err := p.Cluster.Definitions(ctx)
	if err != nil {
		return err
	}
	for _, object := range changing {
		losses := definition.Losses(live[object.Name], *object.CRD)
		if _, exists := live[object.Name]; !exists || len(losses) == 0 {
			continue
		}
		f := p.found[object]
		f.losses, f.anew = losses, p.mayReplace(object)
		p.found[object] = f
	}
	return nil
}

// isChanging reports whether an object is a CustomResourceDefinition that exists and
// is to be changed.
func (p *pass) isChanging(object *plan.Object) bool {
	f := p.found[object]
	isApplied := f.decision == inventory.Apply || f.decision == inventory.TakeOver
	return object.CRD != nil && f.live != nil && isApplied
}

// dataLoss returns a fault.Stall that says what a change would lose.
func dataLoss(object *plan.Object, f found) error {
	return fault.Stall(v1alpha1.DataLossReason, fmt.Errorf(
		"%s is not changed since objects would be lost: %s: move them first, "+
			"or have it made anew without them by crds: Delete and immutableFields: Recreate",
		object.Ref, strings.Join(f.losses, ", ")))
}
