package manifest

import (
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

// compared returns what an API server would refuse or ignore in an object of a built-in
// kind, after it has removed the duplicates that a server-side apply cannot send. The
// bytes of an object bound what is looked at: no value takes less than one.
func compared(ref Ref, tree map[string]any, bytes int64) []string {
	if !IsBuiltIn(ref.Group, ref.Kind) {
		return nil
	}
	kind := ref.GroupKind().WithVersion(ref.Version)
	warnings := validation.Normalize(kind, tree, bytes)
	resource, known := BuiltIn(ref.Group, ref.Version, ref.Kind)
	if known && !resource.Namespaced && ref.Namespace != "" {
		warnings = append(warnings, fmt.Sprintf("metadata.namespace: a %s has no namespace: it is ignored", ref.Kind))
	}
	return warnings
}
