package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/drift"
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
	done := make([]*metav1.PartialObjectMetadata, len(missing))
	err := p.forEachWrite(ctx, len(missing), func(ctx context.Context, n int) (err error) {
		done[n], err = p.applyObject(ctx, missing[n])
		p.noteUnserved(missing[n], err)
		return err
	})
	for n, object := range missing {
		if done[n] != nil {
			p.noteApplied(object, done[n])
		}
	}
	return err
}

// noteUnserved has the next pass look at complete phases if the kind of an object is
// not served, or about to go, though the bundle brings it: somebody removed what defines it.
func (p *pass) noteUnserved(object *plan.Object, err error) {
	if !errors.Is(err, errKindNotServed) && !errors.Is(err, errKindGoes) || !p.mapper.defines(object.Ref) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Memory.verified = time.Time{}
}

// noteApplied notes that an object is as the release wants it since this pass
// applied it.
func (p *pass) noteApplied(object *plan.Object, live *metav1.PartialObjectMetadata) {
	p.current[object], p.applied[object] = true, true
	p.Memory.fields[object] = drift.SumOf(live, p.Parent.FieldManager())
	f := p.found[object]
	if object.CRD != nil && f.decision == inventory.Apply && f.live == nil {
		p.Memory.created[kindOf(object.CRD)] = true
	}
	if runsOnce(object) {
		p.Memory.noteJob(object, false)
	}
	if f.ofSet && f.decision == inventory.TakeOver {
		p.Memory.noteTaken(object)
	}
}

// applyObject applies one object as a member of the inventory, and returns its
// metadata.
func (p *pass) applyObject(ctx context.Context, object *plan.Object) (*metav1.PartialObjectMetadata, error) {
	f := p.found[object]
	if f.err != nil {
		return nil, f.err
	}
	resource, ref, err := p.mapper.locate(ctx, *object)
	if err != nil {
		return nil, err
	}
	if err := p.mustBeGone(object, ref); err != nil {
		return nil, err
	}
	free, err := p.takeBudget(ctx, object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ref, err)
	}
	defer free()
	body, err := p.body(object, f.decision)
	if err != nil {
		return nil, err
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	return p.send(ctx, located{resource, ref}, object, body)
}

// mustBeGone returns an error while what is being deleted keeps an object from being
// applied: itself, or what defines its kind. An API server takes no new instances of a
// CustomResourceDefinition that it deletes.
func (p *pass) mustBeGone(object *plan.Object, ref manifest.Ref) error {
	f := p.found[object]
	definition := p.mapper.definitions[object.GroupKind()]
	switch {
	case f.decision == inventory.WaitGone:
		return fault.Wait(v1alpha1.ObjectTerminatingReason, goneRetry,
			fmt.Errorf("%s is being deleted: it is applied when it is gone", ref))
	case f.live == nil && definition != nil && p.found[definition].decision == inventory.WaitGone:
		return fault.Wait(v1alpha1.ObjectTerminatingReason, goneRetry, fmt.Errorf("%s: %w: it is applied with the next one", ref, errKindGoes))
	}
	return nil
}

// passBudget is how much of the budget one pass takes, unless an object is larger: so
// that no cluster holds the budget of all while it does not answer.
const passBudget = 3 << 20

// takeBudget waits until an object may be in memory, and returns what ends that.
func (p *pass) takeBudget(ctx context.Context, object *plan.Object) (free func(), err error) {
	size := 2 * object.Length // as it is on disk, and with its marks
	share := min(size, passBudget)
	if err := p.budget.Acquire(ctx, share); err != nil {
		return nil, err
	}
	if err := p.Budget.Acquire(ctx, size); err != nil {
		p.budget.Release(share)
		return nil, err
	}
	return func() {
		p.Budget.Release(size)
		p.budget.Release(share)
	}, nil
}

// located is where an object is.
type located struct {
	resource manifest.Resource
	ref      manifest.Ref
}

// send sends the bytes of an object as the decision about it says.
func (p *pass) send(
	ctx context.Context, at located, object *plan.Object, body []byte,
) (*metav1.PartialObjectMetadata, error) {
	f := p.found[object]
	p.noteSent(object)
	switch {
	case f.live == nil:
		return p.Cluster.Create(ctx, at.resource, at.ref, body, p.Parent.FieldManager())
	case f.decision == inventory.Share:
		return p.share(ctx, at, object, body)
	case runsOnce(object), isMadeAnew(object) && f.decision == inventory.Apply, f.anew:
		return p.replace(ctx, at, object, body)
	}
	if err := p.moveFields(ctx, at.resource, at.ref, f); err != nil {
		return nil, err
	}
	live, err := p.applyLive(ctx, at, body)
	if err != nil {
		return p.replaceIfImmutable(ctx, at, object, body, err)
	}
	return live, nil
}

// share applies an object beside its owner. Where the owner has another content, as
// a Namespace may have, the owner's stays: two sets that took fields from each other
// would do so for ever.
func (p *pass) share(
	ctx context.Context, at located, object *plan.Object, body []byte,
) (*metav1.PartialObjectMetadata, error) {
	live, err := p.Cluster.Create(ctx, at.resource, at.ref, body, p.Parent.FieldManager())
	if !errors.Is(err, inventory.ErrChanged) {
		return live, err
	}
	mark, err := json.Marshal(&metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{
			APIVersion: schema.GroupVersion{Group: at.ref.Group, Version: at.ref.Version}.String(), Kind: at.ref.Kind,
		},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: at.ref.Namespace, Name: at.ref.Name,
			Annotations: map[string]string{p.Parent.SharedAnnotation(): object.Sum()},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at.ref, err)
	}
	if err := p.allowed(); err != nil {
		return nil, err
	}
	return p.Cluster.Apply(ctx, at.resource, at.ref, mark, p.Parent.FieldManager())
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
			manifest.Mark{Key: p.Parent.SharedAnnotation(), Value: object.Sum()}), nil
	}
	return manifest.Marked(body, object.Entry,
		manifest.Mark{Key: inventory.PartOfLabel, Value: p.Parent.ID()},
		manifest.Mark{Key: inventory.SHA256Annotation, Value: object.Sum()}), nil
}

// moveFields makes the fields that a former owner set those of our set, so that
// what the release does not have any more really goes. The apply behind it is another
// write, so the guard is asked again.
func (p *pass) moveFields(ctx context.Context, resource manifest.Resource, ref manifest.Ref, f found) error {
	fields, changed, err := inventory.TakeOverFields(f.live, p.Parent, p.Living)
	if err != nil {
		return fault.Retry(v1alpha1.ApplyFailedReason, fmt.Errorf("%s: managed fields: %w", ref, err))
	}
	if !changed {
		return nil
	}
	if err := p.Cluster.MoveFields(ctx, resource, ref, f.live, fields); err != nil {
		return err
	}
	return p.allowed()
}
