package manifest

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

// Object is one Kubernetes object as it was published.
type Object struct {
	Ref
	// Place is where the object is in its source.
	Place Place
	// JSON is the object in the form that Objects describes. It is valid only
	// until the next step of the sequence.
	JSON []byte
	// LabelsAt and AnnotationsAt are the offsets in JSON just behind `"labels":{`
	// and `"annotations":{`.
	LabelsAt, AnnotationsAt int
	// CRD holds the facts of a CustomResourceDefinition and is nil for others.
	CRD *CRD
	// Images are the container images that a workload names, sorted and unique.
	Images []string
	// Hook is when a hook of a chart is applied, and nil for others.
	Hook *Hook
	// Warnings are what should be looked at in the object.
	Warnings []string
}

// Objects reads a stream of YAML or JSON documents and yields its objects in
// order. Lists and JSON arrays are taken apart. source names the stream in
// places and messages. An error is yielded once and ends the sequence: one of
// class Stall with ManifestInvalidReason or LimitExceededReason, or the error of
// r, wrapped.
//
// The JSON of an object is compact. The keys apiVersion, kind and metadata come
// first, and metadata begins with labels and annotations, which are always there:
//
//	{"apiVersion":"v1","kind":"Namespace","metadata":{"labels":{},"annotations":{},"name":"a"},…}
//
// All other keys are sorted, numbers keep their value, and nothing is escaped
// for HTML, so equal content gives equal bytes. Left out are status, the fields
// of metadata that only an API server writes or that refer to another cluster, the
// label and the annotations that make an object a member of an inventory, and
// parameters of a rolling update that are null. The stringData of a Secret is in its
// data, and a generateName has become a name. Of duplicates in the list-maps and
// sets of built-in kinds the last one is there; the warnings name them.
func Objects(r io.Reader, source string, limits Limits) iter.Seq2[Object, error] {
	return AdmittedObjects(r, source, limits, nil)
}

// AdmittedObjects is Objects for a stream that is read beside others: each of its documents
// is decoded when it is admitted. An error of admit ends the sequence.
func AdmittedObjects(r io.Reader, source string, limits Limits, admit Admit) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		s := &scanner{splitter: newSplitter(r, source, limits, admit), encoder: encoder{limit: limits.Object}}
		for {
			more, err := s.document(yield)
			if err != nil {
				yield(Object{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// scanner turns documents into objects.
type scanner struct {
	*splitter
	encoder encoder
	objects int
}

// item is one object of a document before it is written as JSON.
type item struct {
	place Place
	tree  map[string]any
}

// document yields the objects of the next document. It returns false at the
// end of the stream and when no more are wanted.
func (s *scanner) document(yield func(Object, error) bool) (bool, error) {
	defer s.end()
	c, err := s.next()
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	place := Place{Source: s.source, Document: s.documents, Line: c.line}
	nodes, aliased := measure(c.text, s.limits.Nodes)
	if !c.json && nodes > s.limits.Nodes {
		return false, s.refused(place, errTooMany)
	}
	if err := s.room.decode(len(c.text), nodes, aliased); err != nil {
		return false, err
	}
	if c.json {
		return s.values(c, place, yield)
	}
	value, err := decodeYAML(c.text, c.line, s.limits.Nesting)
	if err != nil {
		return false, s.refused(place, err)
	}
	return s.value(value, place, yield)
}

// values yields the objects of JSON values that follow each other. Each value
// counts as a document.
func (s *scanner) values(c chunk, place Place, yield func(Object, error) bool) (bool, error) {
	reader := newJSONReader(c.text, s.limits)
	for {
		value, err := reader.next()
		if errors.Is(err, io.EOF) {
			s.documents = place.Document - 1
			return true, nil
		}
		if err != nil {
			return false, s.refused(place, err)
		}
		more, err := s.value(value, place, yield)
		if !more || err != nil {
			return false, err
		}
		place.Document++
	}
}

// value yields the objects of one value.
func (s *scanner) value(value any, place Place, yield func(Object, error) bool) (bool, error) {
	if value == nil {
		return true, nil
	}
	items, err := s.flatten(nil, value, place, false)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		object, err := s.object(item)
		if err != nil {
			return false, err
		}
		if !yield(object, nil) {
			return false, nil
		}
	}
	return true, nil
}

// flatten appends the objects of a value to items. An item of a list inherits
// nothing from it.
func (s *scanner) flatten(items []item, value any, place Place, listed bool) ([]item, error) {
	var list []any
	switch v := value.(type) {
	case map[string]any:
		var ok bool
		if list, ok = listItems(v); !ok {
			return s.append(items, v, place, listed)
		}
	case []any:
		list = v
	default:
		return nil, invalid(at(place, items, listed), "not an object but %s", validation.TypeOf(v))
	}
	for _, value := range list {
		var err error
		if items, err = s.flatten(items, value, place, true); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// append adds an object to items and counts it.
func (s *scanner) append(items []item, tree map[string]any, place Place, listed bool) ([]item, error) {
	s.objects++
	place = at(place, items, listed)
	if s.objects > s.limits.Objects {
		return nil, exceeded(place, "more than %d objects", s.limits.Objects)
	}
	return append(items, item{place: place, tree: tree}), nil
}

// at returns the place of the object that comes next in a document.
func at(place Place, items []item, listed bool) Place {
	if listed {
		place.Item = len(items) + 1
	}
	return place
}

// listItems returns the items of an object that is a list of objects.
func listItems(tree map[string]any) ([]any, bool) {
	kind, _ := tree["kind"].(string)
	if !strings.HasSuffix(kind, "List") {
		return nil, false
	}
	items, ok := tree["items"].([]any)
	isEmpty := kind == "List" && tree["apiVersion"] == "v1" && tree["items"] == nil
	return items, ok || isEmpty
}

// object returns an object after it was checked, cleaned and written as JSON.
func (s *scanner) object(it item) (Object, error) {
	ref, err := normalize(it.tree)
	if err != nil {
		return Object{}, invalid(it.place, "%s", err)
	}
	crd, err := crdOf(ref, it.tree)
	if err != nil {
		return Object{}, invalid(it.place, "%s: %s", ref, err)
	}
	hook := takeHook(it.tree)
	warnings := compared(ref, it.tree, s.limits.Object)
	at, err := s.encoder.object(it.tree)
	if err != nil {
		return Object{}, s.refused(it.place, fmt.Errorf("%s: %w", ref, err))
	}
	return Object{
		Ref:           ref,
		Place:         it.place,
		JSON:          s.encoder.json,
		LabelsAt:      at.labels,
		AnnotationsAt: at.annotations,
		CRD:           crd,
		Images:        imagesOf(ref, it.tree),
		Hook:          hook,
		Warnings:      warnings,
	}, nil
}

// refused returns the error for a document or an object that cannot be taken.
func (s *scanner) refused(place Place, err error) error {
	switch {
	case errors.Is(err, errTooDeep):
		return exceeded(place, "more than %d mappings and sequences inside each other", s.limits.Nesting)
	case errors.Is(err, errTooMany):
		return exceeded(place, "the document has more than %d keys, values, mappings and sequences", s.limits.Nodes)
	case errors.Is(err, errTooLarge):
		return exceeded(place, "the object is larger than %d bytes as JSON", s.limits.Object)
	}
	return invalid(place, "%s", err)
}

// sortedKeys returns the keys of a mapping in order.
func sortedKeys(object map[string]any) []string {
	return slices.Sorted(maps.Keys(object))
}
