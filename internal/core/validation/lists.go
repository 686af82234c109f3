package validation

import (
	"fmt"
	"strconv"
	"strings"

	smd "sigs.k8s.io/structured-merge-diff/v6/schema"
)

// list looks at the items of a sequence, and returns it without duplicates.
func (w *walk) list(t *smd.List, items []any) []any {
	if t.ElementRelationship == smd.Associative {
		return w.unique(t, items)
	}
	for i, item := range items {
		items[i] = w.at(indexed(i), t.ElementType, item)
	}
	return items
}

// unique looks at the items of a list-map or a set, and returns the last one of each
// key. It goes where it is, as the last value counts where it is.
func (w *walk) unique(t *smd.List, items []any) []any {
	keys := make([]string, len(items))
	times := make(map[string]int, len(items))
	for i, item := range items {
		keys[i] = w.key(t, i, item)
		times[keys[i]]++
	}
	seen := make(map[string]int, len(items))
	kept := make([]any, 0, len(items))
	for i, item := range items {
		if seen[keys[i]]++; seen[keys[i]] < times[keys[i]] {
			continue
		}
		w.path = append(w.path, keys[i])
		if n := times[keys[i]]; n > 1 {
			w.find("%d times in the list, where it may be once: the last one is delivered", n)
		}
		kept = append(kept, w.value(t.ElementType, item))
		w.path = w.path[:len(w.path)-1]
	}
	return kept
}

// key returns what identifies an item in a list-map or a set, as an element of a path:
// its index if it has no key.
func (w *walk) key(t *smd.List, i int, item any) string {
	at := indexed(i)
	if item == nil {
		w.findAt(at, "null, which this list cannot have")
		return at
	}
	mapping, isMapping := item.(map[string]any)
	switch {
	case isMapping && len(t.Keys) > 0:
		return w.mapKey(t, at, mapping)
	case len(t.Keys) == 0 && isScalar(item):
		return "[=" + keyText(item) + "]"
	}
	return at
}

// mapKey returns the key of an item of a list-map, or where it is.
func (w *walk) mapKey(t *smd.List, at string, item map[string]any) string {
	pairs := make([]string, 0, len(t.Keys))
	for _, name := range t.Keys {
		value := item[name]
		if value == nil {
			value = w.defaultOf(t, name)
		}
		if value == nil {
			w.findAt(at, "%s is missing", name)
			return at
		}
		if !isScalar(value) {
			return at
		}
		pairs = append(pairs, name+"="+keyText(value))
	}
	return "[" + strings.Join(pairs, ",") + "]"
}

// defaultOf returns the value of a key that an item does not have. That there is an
// empty one in the schema only means that the field is no pointer.
func (w *walk) defaultOf(t *smd.List, name string) any {
	item, _ := w.schema.Resolve(t.ElementType)
	if item.Map == nil {
		return nil
	}
	field, _ := item.Map.FindField(name)
	if field.Default == "" || field.Default == 0 {
		return nil
	}
	return field.Default
}

func indexed(i int) string { return fmt.Sprintf("[%d]", i) }

// keyText returns the value of a key as it is in a path.
func keyText(value any) string {
	if s, ok := value.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(value)
}
