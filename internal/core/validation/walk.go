package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// maxFindings bounds what is found in one object.
	maxFindings = 100
	// maxPath bounds a path in bytes.
	maxPath = 512
	// maxQuoted is how many bytes of a text from an object a finding repeats.
	maxQuoted = 80
)

// Normalize compares an object of a built-in kind with the schema of the kind, and
// returns what an API server would refuse with its paths: values of another type,
// fields that are unknown where they are, items of list-maps without a key, and
// duplicates. At most 100 are listed, in order, and none of them has a value of the object
// but keys. Of duplicates in a list-map or a set only the last one stays in the tree:
// a server-side apply cannot send both.
//
// At most the given number of values is looked at: aliases in YAML may make more of
// them than there are in the text. The group of the kind must be one of Kubernetes.
func Normalize(kind schema.GroupVersionKind, tree map[string]any, most int64) []string {
	ref, known := typeOf(kind)
	if !known {
		return nil
	}
	w := &walk{schema: builtIn(), left: most}
	w.value(ref, tree)
	return w.findings
}

// walk is one walk through an object.
type walk struct {
	schema   *smd.Schema
	left     int64
	path     []string
	findings []string
}

// find adds a finding about the value at the path.
func (w *walk) find(format string, args ...any) {
	if len(w.findings) == maxFindings {
		return
	}
	at := text.Line(strings.TrimPrefix(strings.Join(w.path, ""), "."), maxPath)
	w.findings = append(w.findings, at+": "+fmt.Sprintf(format, args...))
}

// findAt adds a finding about a value below the path.
func (w *walk) findAt(element, format string, args ...any) {
	w.path = append(w.path, element)
	w.find(format, args...)
	w.path = w.path[:len(w.path)-1]
}

// at looks at a value below the path, and returns it without duplicates.
func (w *walk) at(element string, ref smd.TypeRef, value any) any {
	w.path = append(w.path, element)
	defer func() { w.path = w.path[:len(w.path)-1] }()
	return w.value(ref, value)
}

// value looks at the value at the path, and returns it without duplicates.
func (w *walk) value(ref smd.TypeRef, value any) any {
	w.left--
	atom, known := w.schema.Resolve(ref)
	if w.left < 0 || !known || value == nil {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		if atom.Map != nil {
			w.mapping(nameOf(ref), atom.Map, v)
			return v
		}
	case []any:
		if atom.List != nil {
			return w.list(atom.List, v)
		}
	default:
		if atom.Scalar != nil && fits(*atom.Scalar, v) {
			return v
		}
	}
	w.find("%s", mismatch(atom, value))
	return value
}

// mapping looks at the members of a mapping of a named type.
func (w *walk) mapping(name string, t *smd.Map, mapping map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(mapping)) {
		field, isField := t.FindField(key)
		switch {
		case isField:
			mapping[key] = w.at("."+key, field.Type, mapping[key])
		case t.ElementType != smd.TypeRef{}:
			mapping[key] = w.at("["+quote(key)+"]", t.ElementType, mapping[key])
		default:
			w.unknown(name, key)
		}
	}
}

// unknown finds a field that the schema does not have.
func (w *walk) unknown(name, key string) {
	w.findAt("."+text.Line(key, maxQuoted),
		"%s of Kubernetes %s has no such field; an API server that does not know it refuses the object", name, kubernetes)
}

// nameOf returns the name of a type in its package, for messages.
func nameOf(ref smd.TypeRef) string {
	if ref.NamedType == nil {
		return "the mapping"
	}
	return (*ref.NamedType)[strings.LastIndex(*ref.NamedType, ".")+1:]
}

func quote(s string) string { return text.Quote(s, maxQuoted) }
