package rollout

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// checkOwners returns the collisions of all objects of the steps in one error. It
// is called before the first of them is applied, so that a phase with a collision
// is not left half applied. It reads the metadata of each object once, and
// nothing when objects of other owners are taken over.
//
// An owner that cannot be read keeps only its object from being applied. What is
// applied before it may be what makes the read work: a Deployment behind the conversion
// webhook of the object's kind, or behind its API service.
func (p *pass) checkOwners(ctx context.Context, steps []plan.Step) error {
	if p.Adoption == v1alpha1.AlwaysAdoption {
		return nil
	}
	objects := make([]*plan.Object, 0, count(steps))
	for _, step := range steps {
		for i := range step.Objects {
			objects = append(objects, &step.Objects[i])
		}
	}
	failed := make([]error, len(objects))
	err := forEach(ctx, len(objects), func(ctx context.Context, n int) error {
		live, ref, err := p.metadata(ctx, *objects[n])
		switch {
		case errors.Is(err, ErrThrottled):
			return err
		case err != nil:
			failed[n] = err
			return nil
		}
		return p.collision(ref, live)
	})
	for n, object := range objects {
		if failed[n] != nil {
			p.ownerUnknown[object] = failed[n]
		}
	}
	return err
}

// metadata reads the metadata of an object of the plan; nil if it does not exist.
func (p *pass) metadata(
	ctx context.Context, object plan.Object,
) (*metav1.PartialObjectMetadata, manifest.Ref, error) {
	resource, ref, err := p.mapper.locate(ctx, object)
	if errors.Is(err, errKindNotServed) {
		// The mapper keeps its answer for the whole pass. So applying the object
		// reports the kind, and does not take over what was not checked.
		return nil, ref, nil
	}
	if err != nil {
		return nil, ref, err
	}
	live, err := p.Cluster.Metadata(ctx, resource, ref)
	return live, ref, err
}

// collision returns a fault.Stall if the live object has another owner.
func (p *pass) collision(ref manifest.Ref, live *metav1.PartialObjectMetadata) error {
	if live == nil {
		return nil
	}
	owner := inventory.Owner(live, p.Parent.ID())
	if owner == "" {
		return nil
	}
	return fault.Stallf(v1alpha1.CollisionReason,
		"%s is owned by %s: remove it there, or take it over with adoption: Always", ref, owner)
}
