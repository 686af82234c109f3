package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// verifyEvery is how often the objects of complete phases are looked at again while
// a later phase is in progress, unless that misses a kind that they brought. Once all
// phases are complete, watches say when.
const verifyEvery = 5 * time.Minute

// verify looks at the objects of phases that are complete, but those of which a
// watch would have reported a change, and applies what is missing or is not as the
// release wants it. What was applied once only is left alone.
func (p *pass) verify(ctx context.Context, phases []plan.Phase) {
	now := p.Now()
	if p.Once || !p.isComplete() && now.Sub(p.Memory.verified) < verifyEvery {
		return
	}
	objects := p.repairable(phases)
	p.verifying = true
	err := p.lookAt(ctx, objects)
	p.verifying = false
	p.compareFields(objects)
	p.keepRight(objects)
	for i, phase := range phases {
		if err == nil {
			err = p.repair(ctx, i, phase.Steps)
		}
		p.regressed[i] = fault.Wrap("phase "+phase.Name, err)
		if !endsRepairs(err) {
			err = nil
		}
	}
	p.Memory.verified = now
}

// endsRepairs reports whether the phases behind one with the error are not repaired
// in this pass: the pass is over, or their kinds may not be served.
func endsRepairs(err error) bool {
	return endsPass(err) || fault.ReasonOf(err, "") == v1alpha1.CRDsNotServedReason
}

// isComplete reports whether all phases are complete.
func (p *pass) isComplete() bool { return p.record.Progress.Phase >= len(p.plan.Phases) }

// recallKept marks the objects of which no watch saw a change as right.
func (p *pass) recallKept() {
	for _, objects := range p.Memory.kept {
		for _, object := range objects {
			p.current[object], p.kept[object] = true, true
		}
	}
}

// repairable returns the objects of complete phases that have to be looked at. What
// a pass applied a moment ago counts too, unless a watch tells that it stayed.
func (p *pass) repairable(phases []plan.Phase) []*plan.Object {
	var objects []*plan.Object
	for _, phase := range phases {
		for _, object := range objectsOf(phase.Steps, isRepaired) {
			if !p.kept[object] {
				delete(p.current, object)
				objects = append(objects, object)
			}
		}
	}
	return objects
}

// keepRight remembers the objects that are right and that the watch of the set's
// members reports when they are not any more.
func (p *pass) keepRight(objects []*plan.Object) {
	for _, object := range objects {
		if f := p.found[object]; p.sawRight(object) {
			p.Memory.keep(p.contentOf(f.resource), object)
			p.current[object], p.kept[object] = true, true
		}
	}
}

// keepSeen does so with what this pass applied or found right in any phase, and has it
// watched: the watch begins where the pass saw it.
func (p *pass) keepSeen(ctx context.Context) {
	for object := range p.plan.All {
		if p.kept[object] || !isRepaired(object) || !p.sawRight(object) {
			continue
		}
		if resource, _, err := p.mapper.locate(ctx, *object); err == nil {
			p.Memory.keep(p.contentOf(resource), object)
		}
	}
	for target := range p.Memory.kept {
		p.watch(target)
	}
}

// sawRight reports whether this pass applied an object as a member, or found it right.
func (p *pass) sawRight(object *plan.Object) bool {
	f := p.found[object]
	if p.applied[object] {
		return f.decision != inventory.Share
	}
	return f.decision == inventory.Keep && f.live != nil && !f.ofSet && !f.left
}

// repair applies, step by step, what is not as the release wants it. An object that
// cannot be repaired does not keep those of later steps from it: each was there
// before. CustomResourceDefinitions that are not served again do.
func (p *pass) repair(ctx context.Context, i int, steps []plan.Step) error {
	objects := objectsOf(steps, func(object *plan.Object) bool { return isRepaired(object) && !p.kept[object] })
	if err := p.collisions(objects); err != nil {
		return err
	}
	p.leaveContested(objects)
	var errs []error
	for _, step := range steps {
		those := slices.DeleteFunc(objectsOf([]plan.Step{step}, isRepaired), p.isCurrent)
		err := p.apply(ctx, those)
		p.noteRepairs(those)
		if !endsPass(err) {
			err = cmp.Or(p.servedAgain(ctx, i, step), err)
		}
		if endsRepairs(err) {
			return err
		}
		errs = append(errs, err)
	}
	return fault.Join(errs...)
}

// servedAgain returns an error until CustomResourceDefinitions that were repaired
// are served.
func (p *pass) servedAgain(ctx context.Context, i int, step plan.Step) error {
	first := &step.Objects[0]
	if step.Gate != plan.GateCRDs || !p.appliedAny(pointersTo(step.Objects)) && !p.Memory.redefined[first] {
		return nil
	}
	err := p.crdGate(ctx, i, step.Objects)
	p.Memory.noteRedefined(first, err != nil)
	return err
}
