package edit

import (
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

// isOf reports whether a location is one in an object.
func isOf(at v1alpha1.ImageLocation, ref manifest.Ref) bool {
	return at.Kind == ref.Kind && at.APIVersion == apiVersionOf(ref)
}

func apiVersionOf(ref manifest.Ref) string {
	if ref.Group == "" {
		return ref.Version
	}
	return ref.Group + "/" + ref.Version
}

// everyItem stands in a path for all that is in a list.
const everyItem = "[*]"

// rewriteAt rewrites what is at a location of an object, and reports whether that changed
// it. The error says what else is there.
func (r registries) rewriteAt(at v1alpha1.ImageLocation, tree map[string]any) (changed bool, err error) {
	w := walk{edit: r.image}
	if at.Type == v1alpha1.ImageLocationRegistry {
		w.edit = r.registry
	}
	if byDefault := w.edit(at.Default); byDefault != at.Default {
		w.absent = byDefault
	}
	path := strings.Split(strings.ReplaceAll(at.Path, everyItem, "."+everyItem), ".")
	_, err = w.value(tree, path[1:])
	return w.changed, err
}

// walk rewrites the fields at a path.
type walk struct {
	edit func(string) string
	// absent is what is written where the field is absent or empty; empty for nothing.
	absent  string
	changed bool
}

// value returns what takes the place of a value after the fields at a path in it were
// rewritten; nil for one that stays absent.
func (w *walk) value(value any, path []string) (any, error) {
	switch {
	case len(path) == 0:
		return w.text(value)
	case value == nil && w.absent == "":
		return nil, nil
	case path[0] == everyItem:
		return w.items(value, path[1:])
	}
	object, ok := value.(map[string]any)
	if !ok && value != nil {
		return nil, fmt.Errorf("leads into %s and not a mapping", validation.TypeOf(value))
	}
	field, err := w.value(object[path[0]], path[1:])
	if err != nil || field == nil {
		return value, err
	}
	if object == nil {
		object = make(map[string]any)
	}
	object[path[0]] = field
	return object, nil
}

// items rewrites the fields at a path in each item of a list.
func (w *walk) items(value any, path []string) (any, error) {
	list, ok := value.([]any)
	if !ok {
		return nil, fmt.Errorf("leads into %s and not a sequence", validation.TypeOf(value))
	}
	for i := range list {
		item, err := w.value(list[i], path)
		if err != nil {
			return nil, err
		}
		list[i] = item
	}
	return list, nil
}

// text rewrites a field.
func (w *walk) text(value any) (any, error) {
	before, ok := value.(string)
	if !ok && value != nil {
		return nil, fmt.Errorf("is %s and not text", validation.TypeOf(value))
	}
	after := w.absent
	if before != "" {
		after = w.edit(before)
	}
	if after == before {
		return value, nil
	}
	w.changed = true
	return after, nil
}
