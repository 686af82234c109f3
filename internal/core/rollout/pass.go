package rollout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
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
	// budget is the part of Budget that this pass may take.
	budget *semaphore.Weighted
	// plan is that of the event: of an installation or an upgrade.
	plan *plan.Plan

	parent *corev1.ConfigMap
	record inventory.Record
	saved  inventory.Record
	loaded bool
	// isFirst is true if there was no parent.
	isFirst bool

	// current are the objects that are as the release wants them.
	current map[*plan.Object]bool
	// kept are those that a watch would have reported if they were not.
	kept map[*plan.Object]bool
	// applied are the objects that this pass applied.
	applied map[*plan.Object]bool
	mu      sync.Mutex
	found   map[*plan.Object]found // guarded by mu while requests are open

	verifying bool    // whether the pass looks at complete phases
	complete  int     // how many phases were complete before this pass
	notReady  []int   // objects of each phase that are applied and not ready
	regressed []error // of each complete phase: what is no longer ready
	repaired  []string
	targets   []Target
}

func newPass(slice context.Context, r Rollout) *pass {
	return &pass{
		Rollout:   r,
		sender:    sender{slice: slice, guard: r.Guard},
		mapper:    newMapper(r.Cluster, r.Release.Plan),
		budget:    semaphore.NewWeighted(passBudget),
		plan:      r.Release.Plan,
		kept:      make(map[*plan.Object]bool),
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
	p.recallKept()
	phases := p.plan.Phases
	first := min(p.record.Progress.Phase, len(phases))
	p.complete = first
	p.verify(ctx, phases[:first])
	if err := p.watchComplete(ctx, phases[:first]); err != nil {
		return err
	}
	for i := first; i < len(phases); i++ {
		if err := p.advance(ctx, i); err != nil {
			return fault.Wrap("phase "+phases[i].Name, p.enforceTimeout(i, p.withProgress(i, err)))
		}
	}
	if err := p.health(ctx, phases[:first]); err != nil {
		return err
	}
	if err := p.prune(ctx); err != nil {
		return err
	}
	p.recordFields()
	return p.watchComplete(ctx, phases)
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
			continue
		}
		var found []error
		for _, step := range phase.Steps {
			found = append(found, p.stepGate(ctx, i, step))
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
	steps := p.plan.Phases[i].Steps
	return fmt.Errorf("%d of %d objects are applied: %w", p.countCurrent(steps), count(steps), err)
}

// enforceTimeout turns what took longer than the phase's timeout into a
// fault.Stall, of whatever class it is, and makes waiting end no later than that.
// A pass that had to stop, or whose slice is over, is no matter of the phase.
func (p *pass) enforceTimeout(i int, err error) error {
	if hadToEnd(err) || fault.ClassOf(err) == fault.ClassStall {
		return err
	}
	timeout := p.Release.Phases[i].Timeout
	started := p.record.Progress.Phases[i].Started
	if p.Resumed.After(started) {
		started = p.Resumed
	}
	left := started.Add(timeout).Sub(p.Now())
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

// pointersTo returns pointers to the objects of a step.
func pointersTo(objects []plan.Object) []*plan.Object {
	pointers := make([]*plan.Object, len(objects))
	for i := range objects {
		pointers[i] = &objects[i]
	}
	return pointers
}
