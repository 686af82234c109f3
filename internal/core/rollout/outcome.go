package rollout

import (
	"errors"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// outcome returns what the pass found and did.
func (p *pass) outcome(err error) Outcome {
	o := Outcome{Known: p.loaded, Targets: p.targets, Repaired: p.repaired, Err: err, Current: p.record.Progress.Phase}
	for i, phase := range p.plan.Phases {
		o.Phases = append(o.Phases, p.phaseOutcome(i, phase, err))
	}
	return o
}

// phaseOutcome returns how far one phase is. err is the error of the whole pass,
// which ended in the current phase.
func (p *pass) phaseOutcome(i int, phase plan.Phase, err error) PhaseOutcome {
	progress := p.record.Progress
	o := PhaseOutcome{Name: phase.Name, State: v1alpha1.PendingPhaseState, Objects: count(phase.Steps)}
	if i < len(progress.Phases) {
		o.Times = progress.Phases[i]
	}
	switch {
	case i < progress.Phase:
		o.State, o.Ready, o.AllApplied = v1alpha1.ReadyPhaseState, o.Objects-p.notReady[i], true
		if regressed := p.regressed[i]; regressed != nil {
			o.State, o.Message = regressedState(regressed), regressed.Error()
		}
	case i == progress.Phase && p.loaded:
		applied := p.countCurrent(phase.Steps)
		o.AllApplied = applied == o.Objects
		o.Ready = max(0, applied-p.notReady[i])
		o.State = currentState(err)
		if err != nil {
			o.Message = err.Error()
		}
	}
	return o
}

// countCurrent returns how many objects of the steps are as the release wants them.
func (p *pass) countCurrent(steps []plan.Step) int {
	return len(objectsOf(steps, p.isCurrent))
}

// currentState returns the state of the phase in which a pass ended.
func currentState(err error) v1alpha1.PhaseState {
	if errors.Is(err, errSlice) {
		return v1alpha1.ApplyingPhaseState
	}
	switch fault.ClassOf(err) {
	case fault.ClassWait:
		return v1alpha1.WaitingPhaseState
	case fault.ClassStall:
		return v1alpha1.FailedPhaseState
	case fault.ClassRetry:
	}
	return v1alpha1.ApplyingPhaseState
}

// regressedState returns the state of a complete phase that is no longer ready.
// All of it was applied, so it waits, even if the error is that of a failed read.
func regressedState(err error) v1alpha1.PhaseState {
	if fault.ClassOf(err) == fault.ClassStall {
		return v1alpha1.FailedPhaseState
	}
	return v1alpha1.WaitingPhaseState
}

func count(steps []plan.Step) int {
	n := 0
	for _, step := range steps {
		n += len(step.Objects)
	}
	return n
}
