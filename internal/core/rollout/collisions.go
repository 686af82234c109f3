package rollout

import (
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// collisions returns the objects that belong to others, and marks those that are
// as they should be.
func (p *pass) collisions(objects []*plan.Object) error {
	var errs []error
	for _, object := range objects {
		f := p.found[object]
		p.noteShared(object, f)
		if len(f.losses) > 0 && !f.anew {
			errs = append(errs, dataLoss(object, f))
		}
		switch f.decision {
		case inventory.Keep:
			p.current[object] = true
			if runsOnce(object) {
				p.Memory.noteJob(object, false)
			}
		case inventory.Collide:
			errs = append(errs, collision(object, f, "remove it there, or take it over with adoption: Always"))
		case inventory.TakeOver:
			// Two sets that take an object from each other would do so for ever.
			if f.ofSet && p.Memory.taken[object] {
				errs = append(errs, collision(object, f, "it was taken over and taken back, and only one of the two may bring it"))
			}
		case inventory.Apply, inventory.Share, inventory.WaitGone:
		}
	}
	return fault.Join(errs...)
}

// noteShared records the kind of an object that is applied beside its owner: no
// label shows it.
func (p *pass) noteShared(object *plan.Object, f found) {
	if f.ofSet && !f.left && (f.decision == inventory.Keep || f.decision == inventory.Share) {
		p.record.Shared = union(p.record.Shared, []string{textOfKind(object.GroupKind())})
	}
}

// collision returns a fault.Stall that names the owner of the live object, with
// advice.
func collision(object *plan.Object, f found, advice string) error {
	return fault.Stall(v1alpha1.CollisionReason, fmt.Errorf("%s is owned by %s: %s", object.Ref, f.owner, advice))
}
