package rollout

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

var configMaps = manifest.Resource{Version: "v1", Plural: "configmaps", Namespaced: true}

// load reads the parent, unless an earlier pass did so a moment ago. If it is not
// that of the release, it is written before the first object is applied.
func (p *pass) load(ctx context.Context) (err error) {
	if p.parent, err = p.recallParent(ctx); err != nil {
		return err
	}
	p.Memory.dropChanged(p.IsQuiet)
	p.current = p.Memory.current
	p.saved = inventory.RecordOf(p.parent)
	upgrade := p.isUpgrade()
	p.plan = p.Release.Plan.For(upgrade)
	p.record = inventory.Record{
		Bundle: p.Release.Bundle, Version: p.Release.Version, Digest: p.Release.Digest, Upgrade: upgrade,
		// The members of the release before keep their place in the inventory.
		GroupKinds: union(groupKinds(p.plan), p.saved.GroupKinds),
		Shared:     p.saved.Shared,
		Progress:   inventory.Progress{}.Begin(p.Now()),
	}
	p.isFirst = p.saved.Digest == ""
	p.record.Progress.Prune = !p.isFirst || hasTemporary(p.plan)
	if p.saved.Digest == p.Release.Digest {
		p.record.Progress, p.record.Fields = p.saved.Progress, p.saved.Fields
	}
	if p.Once && inventory.IsSettled(p.parent) {
		// Whatever release it was: what was applied once is never touched again.
		p.record = p.saved
		p.record.Progress.Phase = len(p.plan.Phases)
		p.saved = p.record
	}
	err = p.save(ctx)
	p.loaded = err == nil
	p.Memory.begun = p.loaded
	return err
}

// save writes the parent if the record changed since it was read or written. Of
// two writers the slower one gets an error, and looks at the cluster again.
func (p *pass) save(ctx context.Context) error {
	if reflect.DeepEqual(p.record, p.saved) {
		p.Memory.parent = p.parent
		return nil
	}
	if err := p.allowed(); err != nil {
		return err
	}
	parent, err := p.Parent.Update(p.parent, p.record, phaseNames(p.plan))
	if err != nil {
		return err
	}
	stored, err := p.Cluster.SaveParent(ctx, parent)
	if errors.Is(err, inventory.ErrChanged) {
		p.Memory.forget()
	}
	if err != nil {
		return err
	}
	p.parent, p.saved, p.Memory.parent = stored, p.record, stored
	return nil
}

// saveAtEnd saves what a pass did in a time of its own: the pass may have ended
// because its context did.
func (p *pass) saveAtEnd(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTime)
	defer cancel()
	if p.isComplete() {
		p.Memory.settle()
	}
	return p.save(ctx)
}

// HasBegun reports whether a pass has begun the release; of what is applied once,
// whether any release is complete. It reads the parent only if a pass would, and in
// place of the pass that follows.
func (r Rollout) HasBegun(ctx context.Context) (bool, error) {
	if r.Memory == nil {
		r.Memory = &Memory{}
	}
	if r.Memory.digest == r.Release.Digest && r.Memory.begun {
		return true, nil
	}
	parent, err := r.recallParent(ctx)
	if err != nil {
		return false, err
	}
	begun := inventory.RecordOf(parent).Digest == r.Release.Digest || r.Once && inventory.IsSettled(parent)
	if begun {
		r.Memory.parent = parent
	}
	return begun, nil
}

// recallParent returns the parent as it was read or written a moment ago, else
// reads it.
func (r Rollout) recallParent(ctx context.Context) (*corev1.ConfigMap, error) {
	r.Memory.recall(r.Release, r.Now(), r.IsQuiet != nil && r.IsQuiet(ParentTarget(r.Parent)))
	if r.Memory.parent != nil {
		return r.Memory.parent, nil
	}
	return ReadParent(ctx, r.Cluster, r.Parent)
}

// ReadParent reads the parent from a workload cluster. It returns an empty
// ConfigMap if there is none.
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

// ParentTarget is the target to watch for what happens to a parent.
func ParentTarget(parent inventory.Parent) Target {
	return Target{Resource: configMaps, Namespace: inventory.Namespace, Label: inventory.IDLabel + "=" + parent.ID()}
}

func refOfParent(parent inventory.Parent) manifest.Ref {
	return manifest.Ref{Version: "v1", Kind: "ConfigMap", Namespace: inventory.Namespace, Name: parent.Name()}
}

// groupKinds returns the kinds of a plan in the form of KEP-3659, sorted.
func groupKinds(p *plan.Plan) []string {
	var all []string
	for object := range p.All {
		all = append(all, textOfKind(object.GroupKind()))
	}
	return union(all, nil)
}

// union returns the texts of both, sorted and unique.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

func phaseNames(p *plan.Plan) []string {
	all := make([]string, len(p.Phases))
	for i, phase := range p.Phases {
		all[i] = phase.Name
	}
	return all
}
