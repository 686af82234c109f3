package rollout

import (
	"context"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// apply applies, in parallel, the objects that are not as the release wants them.
// One that fails does not keep the others from being applied, unless the server
// throttles or the pass has to end.
func (p *pass) apply(ctx context.Context, objects []*plan.Object) error {
	missing := make([]*plan.Object, 0, len(objects))
	for _, object := range objects {
		if !p.current[object] {
			missing = append(missing, object)
		}
	}
	done := make([]bool, len(missing))
	err := p.forEach(ctx, len(missing), func(ctx context.Context, n int) error {
		err := p.applyObject(ctx, missing[n])
		done[n] = err == nil
		return err
	})
	for n, object := range missing {
		if done[n] {
			p.noteApplied(object)
		}
	}
	return err
}

// noteApplied notes that an object is as the release wants it since this pass
// applied it.
func (p *pass) noteApplied(object *plan.Object) {
	p.current[object], p.applied[object] = true, true
	f := p.found[object]
	if object.CRD != nil && f.decision == inventory.Apply && f.live == nil {
		p.Memory.created[kindOf(object.CRD)] = true
	}
	if isJob(object) {
		p.Memory.noteJob(object, false)
	}
	if f.ofSet && f.decision == inventory.TakeOver {
		p.Memory.noteTaken(object)
	}
}

// applyObject applies one object as a member of the inventory.
func (p *pass) applyObject(ctx context.Context, object *plan.Object) error {
	f := p.found[object]
	if f.err != nil {
		return f.err
	}
	resource, ref, err := p.mapper.locate(ctx, *object)
	if err != nil {
		return err
	}
	if f.decision == inventory.WaitGone {
		return fault.Wait(v1alpha1.ObjectTerminatingReason, goneRetry,
			fmt.Errorf("%s is being deleted: it is applied when it is gone", ref))
	}
	// In memory twice: as it is on disk, and with its marks.
	size := 2 * object.Length
	if err := p.Budget.Acquire(ctx, size); err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	defer p.Budget.Release(size)
	body, err := p.body(object, f.decision)
	if err != nil {
		return err
	}
	if err := p.allowed(); err != nil {
		return err
	}
	if f.live != nil && f.decision != inventory.Share {
		if err := p.moveFields(ctx, resource, ref, f); err != nil {
			return err
		}
	}
	p.noteSent(object)
	if f.live == nil {
		return p.Cluster.Create(ctx, resource, ref, body, p.Parent.FieldManager())
	}
	return p.applyLive(ctx, resource, ref, body)
}

// noteSent notes that an object may exist from now on, whatever the answer is.
func (p *pass) noteSent(object *plan.Object) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Memory.sent[object] = true
}

// body returns the bytes of an object with the marks of a member. One that is
// shared stays a member of the set that it belongs to.
func (p *pass) body(object *plan.Object, decision inventory.Decision) ([]byte, error) {
	body, err := p.Release.JSON(*object)
	if err != nil {
		return nil, err
	}
	if decision == inventory.Share {
		return manifest.Marked(body, object.Entry, manifest.Mark{},
			manifest.Mark{Key: p.Parent.SharedAnnotation(), Value: object.SHA256}), nil
	}
	return manifest.Marked(body, object.Entry,
		manifest.Mark{Key: inventory.PartOfLabel, Value: p.Parent.ID()},
		manifest.Mark{Key: inventory.SHA256Annotation, Value: object.SHA256}), nil
}

// moveFields makes the fields that a former owner set those of our set, so that
// what the release does not have any more really goes.
func (p *pass) moveFields(ctx context.Context, resource manifest.Resource, ref manifest.Ref, f found) error {
	fields, changed, err := inventory.TakeOverFields(f.live, p.Parent, p.Living)
	if err != nil {
		return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: managed fields: %w", ref, err))
	}
	if !changed {
		return nil
	}
	return p.Cluster.MoveFields(ctx, resource, ref, f.live, fields)
}
