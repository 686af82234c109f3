package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// softGateTime is how long the steps behind workloads wait for these. Workloads may
// need what stands behind them: a webhook configuration that a Job patches, an
// instance that makes the Secret that a Pod mounts.
const softGateTime = 30 * time.Second

// advance takes the current phase as far as its gates allow.
func (p *pass) advance(ctx context.Context, i int) error {
	p.record.Progress = p.record.Progress.Begin(p.Now())
	steps := p.plan.Phases[i].Steps
	// While the gate behind what was applied is closed nothing else is applied, so
	// nothing else needs to be looked at.
	for ; len(steps) > 0 && p.isApplied(steps[0]); steps = steps[1:] {
		if err := p.gateInside(ctx, i, steps); err != nil {
			return err
		}
	}
	if err := p.examine(ctx, objectsOf(steps, all)); err != nil {
		return err
	}
	if err := p.applySteps(ctx, i, steps); err != nil {
		return err
	}
	if err := p.phaseGate(ctx, i); err != nil {
		return err
	}
	p.record.Progress = p.record.Progress.Complete(p.Now())
	return nil
}

// applySteps applies step by step. An instance of a kind that somebody else serves,
// or will, keeps only the end of the phase waiting: what serves it, or answers for its
// webhook, may be among the workloads.
func (p *pass) applySteps(ctx context.Context, i int, steps []plan.Step) error {
	var postponed error
	for ; len(steps) > 0; steps = steps[1:] {
		err := p.apply(ctx, objectsOf(steps[:1], all))
		if steps[0].Name == plan.StepServed && !endsPass(err) {
			postponed, err = err, nil
		}
		if err != nil {
			return fault.Join(err, postponed)
		}
		if err := p.gateInside(ctx, i, steps); err != nil {
			return fault.Join(err, postponed)
		}
	}
	return postponed
}

// gateInside returns an error while the gate behind the first of some steps is
// closed for the others.
func (p *pass) gateInside(ctx context.Context, i int, steps []plan.Step) error {
	switch steps[0].Gate {
	case plan.GateCRDs:
		return p.crdGate(ctx, i, steps[0].Objects)
	case plan.GateWorkloads:
		if len(steps) > 1 {
			return p.softGate(ctx, i, steps[0])
		}
	case plan.GateHooks:
		if len(steps) > 1 {
			return p.stepGate(ctx, i, steps[0])
		}
	case plan.GateNone:
	}
	return nil
}

// softGate is open when the workloads but Jobs are ready, or after softGateTime.
func (p *pass) softGate(ctx context.Context, i int, step plan.Step) error {
	err := p.softlyReady(ctx, i, step)
	if !errors.Is(err, errNotReady) {
		return err
	}
	left := p.Memory.softSince(&step.Objects[0], p.Now()).Add(softGateTime).Sub(p.Now())
	if left <= 0 {
		return nil
	}
	return fault.Wait(fault.ReasonOf(err, ""), min(left, orForever(fault.AfterOf(err))), err)
}

// phaseGate is open when all workloads of the phase are ready, Jobs and hooks among
// them, and what else its end waits for, and its expressions hold.
func (p *pass) phaseGate(ctx context.Context, i int) error {
	p.notReady[i] = 0
	for _, step := range p.plan.Phases[i].Steps {
		if err := p.stepGate(ctx, i, step); err != nil {
			return err
		}
	}
	return p.readyWhen(ctx, i)
}
