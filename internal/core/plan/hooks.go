package plan

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// atInstallation and atUpgrade return when a hook is applied; empty for not at all.
func atInstallation(hook manifest.Hook) manifest.Moment { return hook.Install }
func atUpgrade(hook manifest.Hook) manifest.Moment      { return hook.Upgrade }

// areUpgradesDifferent reports whether a hook makes the plan of an upgrade another than
// that of an installation.
func areUpgradesDifferent(phases []Input) bool {
	return slices.ContainsFunc(phases, func(phase Input) bool {
		return slices.ContainsFunc(phase.Blobs, func(blob Blob) bool {
			return slices.ContainsFunc(blob.Entries, func(entry manifest.Entry) bool {
				return entry.Hook != nil && entry.Hook.Install != entry.Hook.Upgrade
			})
		})
	})
}

// decideMoment fills in when a hook is applied, and reports whether an object is in the
// plan at all. From then on a Namespace and a CustomResourceDefinition are no hooks:
// they have the place of their kind, since hooks need them too, and are never made anew.
func (b *builder) decideMoment(o *Object) bool {
	if o.Hook == nil {
		return true
	}
	moment := b.moment(*o.Hook)
	if step := StepOf(o.GroupKind()); step == StepNamespaces || step == StepCRDs {
		o.Hook = nil
		return moment != ""
	}
	o.Moment = moment
	return moment != ""
}

// splitHooks returns the objects that have the place of their kind, and the hooks that
// run before and behind these.
func splitHooks(objects []Object) (ordinary, before, after []Object) {
	for _, o := range objects {
		switch o.Moment {
		case manifest.Before:
			before = append(before, o)
		case manifest.After:
			after = append(after, o)
		default:
			ordinary = append(ordinary, o)
		}
	}
	return ordinary, before, after
}

// hookSteps sorts hooks into steps: by their weight, as Helm does, and those of one
// weight by their kinds. Each waits until the Jobs and other workloads of the one before
// have run.
func hookSteps(name StepName, defined map[schema.GroupKind]bool, hooks []Object) []Step {
	byWeight := make(map[int][]Object)
	for _, o := range hooks {
		byWeight[o.Hook.Weight] = append(byWeight[o.Hook.Weight], o)
	}
	var result []Step
	for _, weight := range slices.Sorted(maps.Keys(byWeight)) {
		for _, step := range sortInto(steps, defined, byWeight[weight]) {
			step.Name = name
			if step.Gate == GateWorkloads {
				step.Gate = GateHooks
			}
			result = append(result, step)
		}
	}
	return result
}
