package plan

import (
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Replace returns the plan with other entries of the objects for which replacement has
// one: of the same identity, so that they keep their places. The steps without such an
// object are those of p itself.
func (p *Plan) Replace(replacement func(Object) (manifest.Entry, bool)) *Plan {
	replaced := &Plan{Phases: slices.Clone(p.Phases)}
	for i := range replaced.Phases {
		steps := slices.Clone(p.Phases[i].Steps)
		for j := range steps {
			steps[j].Objects = replaceAny(steps[j].Objects, replacement)
		}
		replaced.Phases[i].Steps = steps
	}
	if p.Upgrade != nil {
		replaced.Upgrade = p.Upgrade.Replace(replacement)
	}
	return replaced
}

// replaceAny returns the objects of a step with their replacements: the same slice if
// there are none.
func replaceAny(objects []Object, replacement func(Object) (manifest.Entry, bool)) []Object {
	own := false
	for i, object := range objects {
		entry, ok := replacement(object)
		if !ok {
			continue
		}
		if !own {
			objects, own = slices.Clone(objects), true
		}
		objects[i].Entry = entry
	}
	return objects
}
