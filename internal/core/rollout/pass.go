package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// pass is the state of one pass.
type pass struct {
	Rollout

	mapper    *mapper
	record    inventory.Record
	saved     inventory.Record
	loaded    bool
	notReady  []int   // objects of each phase that are applied and not ready
	regressed []error // of each complete phase: what is no longer ready
	targets   []Target
	// ownerUnknown holds why the owner of an object could not be read.
	ownerUnknown map[*plan.Object]error
}

func newPass(r Rollout) *pass {
	return &pass{
		Rollout:   r,
		mapper:    newMapper(r.Cluster, r.Release.Plan),
		notReady:  make([]int, len(r.Release.Plan.Phases)),
		regressed: make([]error, len(r.Release.Plan.Phases)),

		ownerUnknown: make(map[*plan.Object]error),
	}
}

// walk advances phase by phase until a gate is closed. If none is, it checks once
// more the phases that an earlier pass completed.
func (p *pass) walk(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	first := min(p.record.Progress.Phase, len(p.Release.Plan.Phases))
	for i := first; i < len(p.Release.Plan.Phases); i++ {
		if err := p.advance(ctx, i); err != nil {
			return fault.Wrap("phase "+p.Release.Plan.Phases[i].Name, p.enforceTimeout(i, err))
		}
	}
	return p.health(ctx, p.Release.Plan.Phases[:first])
}

// advance takes the current phase as far as its gates allow.
func (p *pass) advance(ctx context.Context, i int) error {
	p.record.Progress = p.record.Progress.Begin(p.Now)
	steps := p.Release.Plan.Phases[i].Steps
	applied := min(p.record.Progress.Steps, len(steps))
	for _, step := range steps[:applied] {
		if err := p.gate(ctx, i, step); err != nil {
			return err
		}
	}
	// Not before the gates: while one is closed nothing is applied, so no owner
	// needs to be read.
	if err := p.checkOwners(ctx, steps[applied:]); err != nil {
		return err
	}
	for _, step := range steps[applied:] {
		if err := p.apply(ctx, step); err != nil {
			return err
		}
		p.record.Progress.Steps++
		if err := p.gate(ctx, i, step); err != nil {
			return err
		}
	}
	if err := p.readyWhen(ctx, i); err != nil {
		return err
	}
	p.record.Progress = p.record.Progress.Complete(p.Now)
	return nil
}

// health checks the phases that were complete before this pass: what they applied
// may no longer be ready. CustomResourceDefinitions stay served.
func (p *pass) health(ctx context.Context, phases []plan.Phase) error {
	for i, phase := range phases {
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

// enforceTimeout turns waiting that took longer than the phase's timeout into a
// fault.Stall, and makes waiting end no later than that.
func (p *pass) enforceTimeout(i int, err error) error {
	waiting, ok := errors.AsType[*fault.Error](err)
	if !ok || waiting.Class != fault.ClassWait {
		return err
	}
	timeout := p.Release.Phases[i].Timeout
	left := p.record.Progress.Phases[i].Started.Add(timeout).Sub(p.Now)
	if left <= 0 {
		return fault.Stall(v1alpha1.PhaseTimeoutReason, fmt.Errorf("not ready after %s: %w", timeout, err))
	}
	return fault.Wait(waiting.Reason, min(left+time.Second, orForever(waiting.After)), err)
}

func orForever(d time.Duration) time.Duration {
	if d == 0 {
		return 1<<63 - 1
	}
	return d
}
