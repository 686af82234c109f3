package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// pass is the state of one pass.
type pass struct {
	Rollout
	sender

	mapper *mapper

	parent *corev1.ConfigMap
	record inventory.Record
	saved  inventory.Record
	loaded bool

	// current are the objects that are as the release wants them.
	current map[*plan.Object]bool
	// applied are the objects that this pass applied.
	applied map[*plan.Object]bool
	mu      sync.Mutex
	found   map[*plan.Object]found // guarded by mu while requests are open

	complete  int     // how many phases were complete before this pass
	notReady  []int   // objects of each phase that are applied and not ready
	regressed []error // of each complete phase: what is no longer ready
	targets   []Target
}

func newPass(slice context.Context, r Rollout) *pass {
	return &pass{
		Rollout:   r,
		sender:    sender{slice: slice, guard: r.Guard},
		mapper:    newMapper(r.Cluster, r.Release.Plan),
		applied:   make(map[*plan.Object]bool),
		found:     make(map[*plan.Object]found),
		notReady:  make([]int, len(r.Release.Plan.Phases)),
		regressed: make([]error, len(r.Release.Plan.Phases)),
	}
}

// walk repairs what is complete, advances phase by phase until a gate is closed,
// checks whether what was complete before is still ready, and removes what left.
func (p *pass) walk(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	phases := p.Release.Plan.Phases
	first := min(p.record.Progress.Phase, len(phases))
	p.complete = first
	p.verify(ctx, phases[:first])
	if first < len(phases) {
		if err := p.watchComplete(ctx, phases[:first]); err != nil {
			return err
		}
	}
	for i := first; i < len(phases); i++ {
		if err := p.advance(ctx, i); err != nil {
			return fault.Wrap("phase "+phases[i].Name, p.enforceTimeout(i, p.withProgress(i, err)))
		}
	}
	if err := p.health(ctx, phases[:first]); err != nil {
		return err
	}
	return p.prune(ctx)
}

// verify looks, from time to time, at the objects of phases that are complete, and
// applies what is missing or is not as the release wants it. What was applied once
// only is left alone. One that ends with an error goes on in the next pass with the
// objects that are left.
func (p *pass) verify(ctx context.Context, phases []plan.Phase) {
	now := p.Now()
	if p.Once || now.Sub(p.Memory.verified) < verifyEvery && !p.verifiesOnceMore(now) {
		return
	}
	maps.Copy(p.current, p.Memory.beginVerify(now, p.settled()))
	for i, phase := range phases {
		p.regressed[i] = p.repair(ctx, phase.Steps)
	}
	if !slices.ContainsFunc(p.regressed, func(err error) bool { return err != nil }) {
		p.Memory.verified, p.Memory.checked = now, nil
		return
	}
	for _, phase := range phases {
		for _, object := range objectsOf(phase.Steps, p.isCurrent) {
			p.Memory.checked[object] = true
		}
	}
}

// verifiesOnceMore reports whether the release has been complete for verifyAfter
// and was not looked at since.
func (p *pass) verifiesOnceMore(now time.Time) bool {
	settled := p.settled()
	return !settled.IsZero() && !now.Before(settled) && p.Memory.verified.Before(settled)
}

// settled returns when no writer that lost can be late any more; zero while the
// release is not complete.
func (p *pass) settled() time.Time {
	phases := p.record.Progress.Phases
	if p.record.Progress.Phase < len(p.Release.Plan.Phases) || len(phases) == 0 {
		return time.Time{}
	}
	return phases[len(phases)-1].Completed.Add(verifyAfter)
}

// repair applies, step by step, what is not as the release wants it.
func (p *pass) repair(ctx context.Context, steps []plan.Step) error {
	if err := p.examine(ctx, objectsOf(steps, isRepaired)); err != nil {
		return err
	}
	for i := range steps {
		if err := p.apply(ctx, objectsOf(steps[i:i+1], isRepaired)); err != nil {
			return err
		}
	}
	return nil
}

// advance takes the current phase as far as its gates allow.
func (p *pass) advance(ctx context.Context, i int) error {
	p.record.Progress = p.record.Progress.Begin(p.Now())
	steps := p.Release.Plan.Phases[i].Steps
	// While the gate behind what was applied is closed nothing else is applied, so
	// nothing else needs to be looked at.
	for ; len(steps) > 0 && p.isApplied(steps[0]); steps = steps[1:] {
		if err := p.gate(ctx, i, steps[0]); err != nil {
			return err
		}
	}
	if err := p.examine(ctx, objectsOf(steps, all)); err != nil {
		return err
	}
	for s, step := range steps {
		if err := p.apply(ctx, objectsOf(steps[s:s+1], all)); err != nil {
			return err
		}
		if err := p.gate(ctx, i, step); err != nil {
			return err
		}
	}
	if err := p.readyWhen(ctx, i); err != nil {
		return err
	}
	p.record.Progress = p.record.Progress.Complete(p.Now())
	return nil
}

// isApplied reports whether all objects of a step are as the release wants them.
func (p *pass) isApplied(step plan.Step) bool {
	for i := range step.Objects {
		if !p.isCurrent(&step.Objects[i]) {
			return false
		}
	}
	return true
}

// isCurrent reports whether an object is as the release wants it.
func (p *pass) isCurrent(object *plan.Object) bool { return p.current[object] }

// health checks the phases that were complete before this pass: what they applied
// may no longer be ready. CustomResourceDefinitions stay served.
func (p *pass) health(ctx context.Context, phases []plan.Phase) error {
	for i, phase := range phases {
		if p.regressed[i] != nil {
			p.regressed[i] = fault.Wrap("phase "+phase.Name, p.regressed[i])
			continue
		}
		var found []error
		for _, step := range phase.Steps {
			if step.Gate == plan.GateWorkloads {
				found = append(found, p.gate(ctx, i, step))
			}
		}
		found = append(found, p.readyWhen(ctx, i))
		p.regressed[i] = fault.Wrap("phase "+phase.Name, fault.Join(found...))
	}
	return fault.Join(p.regressed...)
}

// withProgress adds to the error of a pass whose slice is over how far the phase is.
func (p *pass) withProgress(i int, err error) error {
	if !errors.Is(err, errSlice) {
		return err
	}
	steps := p.Release.Plan.Phases[i].Steps
	return fmt.Errorf("%d of %d objects are applied: %w", p.countCurrent(steps), count(steps), err)
}

// enforceTimeout turns what took longer than the phase's timeout into a
// fault.Stall, of whatever class it is, and makes waiting end no later than that.
// A pass that had to stop, or whose slice is over, is no matter of the phase.
func (p *pass) enforceTimeout(i int, err error) error {
	if endsPass(err) && !errors.Is(err, ErrThrottled) || fault.ClassOf(err) == fault.ClassStall {
		return err
	}
	timeout := p.Release.Phases[i].Timeout
	left := p.record.Progress.Phases[i].Started.Add(timeout).Sub(p.Now())
	if left <= 0 {
		return fault.Stall(v1alpha1.PhaseTimeoutReason, fmt.Errorf("not ready after %s: %w", timeout, err))
	}
	if fault.ClassOf(err) == fault.ClassRetry {
		return err
	}
	return fault.Wait(fault.ReasonOf(err, v1alpha1.ProgressingReason), min(left+time.Second, orForever(fault.AfterOf(err))), err)
}

func orForever(d time.Duration) time.Duration {
	if d == 0 {
		return 1<<63 - 1
	}
	return d
}

// objectsOf returns the objects of steps that which selects, in order.
func objectsOf(steps []plan.Step, which func(*plan.Object) bool) []*plan.Object {
	objects := make([]*plan.Object, 0, count(steps))
	for _, step := range steps {
		for i := range step.Objects {
			if which(&step.Objects[i]) {
				objects = append(objects, &step.Objects[i])
			}
		}
	}
	return objects
}

func all(*plan.Object) bool { return true }
