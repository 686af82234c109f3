package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

var configMaps = manifest.Resource{Version: "v1", Plural: "configmaps", Namespaced: true}

// pass is one pass in the making.
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

// walk goes through the phases until a gate is closed or all is done, and then
// looks once more at those that an earlier pass completed.
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

// load reads the parent and, where it is of another release or of none, writes
// it before the first object.
func (p *pass) load(ctx context.Context) error {
	parent, err := ReadParent(ctx, p.Cluster, p.Parent)
	if err != nil {
		return err
	}
	p.saved = inventory.RecordOf(parent)
	p.record = inventory.Record{
		Bundle: p.Release.Bundle, Version: p.Release.Version, Digest: p.Release.Digest,
		// The members of the release before keep their place in the inventory.
		GroupKinds: union(groupKinds(p.Release.Plan), p.saved.GroupKinds),
		Progress:   inventory.Progress{}.Begin(p.Now),
	}
	if p.saved.Digest == p.Release.Digest {
		p.record.Progress = p.saved.Progress
	}
	err = p.save(ctx)
	p.loaded = err == nil
	return err
}

// save writes the parent if the record changed since it was read or written.
func (p *pass) save(ctx context.Context) error {
	if reflect.DeepEqual(p.record, p.saved) {
		return nil
	}
	parent, err := p.Parent.ConfigMap(p.record, phaseNames(p.Release.Plan))
	if err != nil {
		return err
	}
	body, err := json.Marshal(parent)
	if err != nil {
		return fmt.Errorf("%s: %w", refOfParent(p.Parent), err)
	}
	if err := p.Cluster.Apply(ctx, configMaps, refOfParent(p.Parent), body); err != nil {
		return err
	}
	p.saved = p.record
	return nil
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

// health looks at phases that were complete before this pass: what they applied
// may since have stopped being ready. CustomResourceDefinitions stay served.
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

// ReadParent reads the parent from a workload cluster; an empty one stands for
// none.
func ReadParent(ctx context.Context, cluster Reader, parent inventory.Parent) (*corev1.ConfigMap, error) {
	read := &corev1.ConfigMap{}
	live, err := cluster.Object(ctx, configMaps, refOfParent(parent))
	if err != nil || live == nil {
		return read, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(live.Object, read); err != nil {
		return nil, fmt.Errorf("%s: %w", refOfParent(parent), err)
	}
	return read, nil
}

func refOfParent(parent inventory.Parent) manifest.Ref {
	return manifest.Ref{Version: "v1", Kind: "ConfigMap", Namespace: inventory.Namespace, Name: parent.Name()}
}
