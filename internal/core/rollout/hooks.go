package rollout

import (
	"context"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// isUpgrade reports whether the hooks of an upgrade run with the release, and not those
// of an installation. It is decided when the release begins, and the parent keeps it.
func (p *pass) isUpgrade() bool {
	if p.saved.Digest == p.Release.Digest {
		return p.saved.Upgrade
	}
	return p.saved.Upgrade || inventory.IsDelivered(p.parent)
}

// isMadeAnew reports whether an object of the set that is there as another is deleted
// and made anew: what runs once, and a hook whose chart wants it so, unless that would
// lose what it holds.
func isMadeAnew(object *plan.Object) bool {
	return runsOnce(object) || object.Hook != nil && object.Hook.Anew && !holdsData[object.GroupKind()]
}

// isTemporary reports whether an object is a hook that is removed when the release is
// complete.
func isTemporary(object *plan.Object) bool { return object.Hook != nil && object.Hook.Temporary }

// hasTemporary reports whether a plan has hooks that are removed when it is complete.
func hasTemporary(of *plan.Plan) bool {
	for object := range of.All {
		if isTemporary(object) {
			return true
		}
	}
	return false
}

// saveBeforeRemoval saves that all phases are complete before hooks of them are removed:
// who finds them gone and the phase not complete would run them again.
func (p *pass) saveBeforeRemoval(ctx context.Context) error {
	if !hasTemporary(p.plan) {
		return nil
	}
	return p.save(ctx)
}
