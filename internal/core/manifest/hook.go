package manifest

import "encoding/json"

// HookAnnotation marks an object of a chart as a hook: its value is the JSON of a Hook.
// It is of whoever renders the chart, and no part of the object that is applied. What
// Helm itself reads, the annotation helm.sh/hook, makes nothing a hook: an object of
// another source that has it is applied as kubectl does.
const HookAnnotation = "addons.cluster.x-k8s.io/hook"

// Moment is when a hook is applied, beside the other objects of its phase.
type Moment string

// The moments of a hook. The empty one is never.
const (
	// Before is ahead of the other objects, but for Namespaces and
	// CustomResourceDefinitions.
	Before Moment = "Before"
	// After is behind all other objects.
	After Moment = "After"
)

// Hook says when a chart wants one of its objects applied, and removed again.
type Hook struct {
	// Install is when it is applied with the first release on a Cluster, Upgrade when
	// with a release behind one that was complete.
	Install Moment `json:"install,omitempty"`
	Upgrade Moment `json:"upgrade,omitempty"`
	// Weight orders the hooks of one moment: the least first.
	Weight int `json:"weight,omitempty"`
	// Anew is whether an object that is there is deleted and made anew, not changed.
	Anew bool `json:"anew,omitempty"`
	// Temporary is whether it is removed when the release is complete.
	Temporary bool `json:"temporary,omitempty"`
}

// takeHook removes the mark of a hook from an object and returns the hook; nil if there
// is none. An annotation that cannot be such a mark stays what it is.
func takeHook(tree map[string]any) *Hook {
	metadata, _ := tree["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	mark, _ := annotations[HookAnnotation].(string)
	hook := &Hook{}
	if json.Unmarshal([]byte(mark), hook) != nil {
		return nil
	}
	delete(annotations, HookAnnotation)
	return hook
}
