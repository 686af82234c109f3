package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// parallel is the most requests that one pass has open at once.
const parallel = 8

// apply applies the objects of a step in parallel. One that fails does not keep
// the others from being applied, unless the server throttles.
func (p *pass) apply(ctx context.Context, step plan.Step) error {
	return forEach(ctx, len(step.Objects), func(ctx context.Context, n int) error {
		return p.applyObject(ctx, &step.Objects[n])
	})
}

// applyObject applies one object with the label of a member of the inventory.
func (p *pass) applyObject(ctx context.Context, object *plan.Object) error {
	if err := p.ownerUnknown[object]; err != nil {
		return err
	}
	resource, ref, err := p.mapper.locate(ctx, *object)
	if err != nil {
		return err
	}
	// In memory twice: as it is on disk, and with the label.
	size := 2 * object.Length
	if err := p.Budget.Acquire(ctx, size); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	defer p.Budget.Release(size)
	body, err := p.Release.JSON(*object)
	if err != nil {
		return err
	}
	body = manifest.Marked(body, object.Entry, manifest.Mark{Key: inventory.PartOfLabel, Value: p.Parent.ID()}, manifest.Mark{})
	return p.Cluster.Apply(ctx, resource, ref, body)
}

// forEach calls do for every index below n, a bounded number at once, and joins
// the errors in the order of the indices. It begins no more calls once the
// context is done or one returned ErrThrottled.
func forEach(ctx context.Context, n int, do func(context.Context, int) error) error {
	errs := make([]error, n)
	var stopped atomic.Bool
	var group errgroup.Group
	group.SetLimit(parallel)
	for i := range n {
		if stopped.Load() || ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			errs[i] = do(ctx, i)
			if errors.Is(errs[i], ErrThrottled) {
				stopped.Store(true)
			}
			return nil
		})
	}
	_ = group.Wait() // the functions return no error: errs has them in order
	return fault.Join(append(errs, ctx.Err())...)
}
