package edit

import (
	"cmp"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxNamed is how many of a list a message names.
const maxNamed = 10

// choose returns the components of a release that are on and those that are off.
func choose(
	choices []v1alpha1.ComponentChoice, components []v1alpha1.Component,
) (on, off []v1alpha1.Component, err error) {
	enabled := make(map[string]bool, len(components))
	for _, c := range components {
		enabled[c.Name] = c.Default != v1alpha1.OffComponentState
	}
	for _, choice := range choices {
		if _, ok := enabled[choice.Name]; !ok {
			return nil, nil, noSuchComponent(choice.Name, components)
		}
		enabled[choice.Name] = choice.Enabled == nil || *choice.Enabled
	}
	for _, c := range components {
		if enabled[c.Name] {
			on = append(on, c)
		} else {
			off = append(off, c)
		}
	}
	return on, off, nil
}

func noSuchComponent(name string, components []v1alpha1.Component) error {
	if len(components) == 0 {
		return fault.Stallf(v1alpha1.EditInvalidReason, "components: the release has none, and so not %s",
			text.Quote(name, maxName))
	}
	names := make([]string, len(components))
	for i, c := range components {
		names[i] = c.Name
	}
	slices.Sort(names)
	return fault.Stallf(v1alpha1.EditInvalidReason, "components: the release has no component %s, it has: %s",
		text.Quote(name, maxName), text.List(names, maxNamed, ", "))
}

// maxName is how much of a name a message repeats, in bytes.
const maxName = 63

// LeavesOut reports whether an object is not delivered: it is of components that are off,
// and of none that is on. namespace is that of objects that name none.
func (e Edit) LeavesOut(ref manifest.Ref, namespace string) bool {
	has := func(c v1alpha1.Component) bool { return hasObject(c, ref, namespace) }
	return slices.ContainsFunc(e.off, has) && !slices.ContainsFunc(e.on, has)
}

func hasObject(c v1alpha1.Component, ref manifest.Ref, namespace string) bool {
	return slices.ContainsFunc(c.Objects, func(s v1alpha1.ComponentObjects) bool { return selects(s, ref, namespace) })
}

// selects reports whether an object has everything that a selector names.
func selects(s v1alpha1.ComponentObjects, ref manifest.Ref, namespace string) bool {
	return s.Kind == ref.Kind &&
		(s.APIVersion == "" || s.APIVersion == apiVersionOf(ref)) &&
		(s.Name == "" || s.Name == ref.Name) &&
		(s.Namespace == "" || s.Namespace == cmp.Or(ref.Namespace, namespace))
}
