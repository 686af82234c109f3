package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// state is what an object holds, but for what differs between clusters. It never
// changes, and clusters share it.
type state struct {
	types.NamespacedName

	labels     map[string]string
	generation int64
	finalizers bool
	// metadata are its fields without braces and without those of object. rest are the
	// fields of the object itself, each behind a comma, without kind and apiVersion.
	metadata, rest []byte
	// definition is what a CustomResourceDefinition defines, if it can be read.
	definition *definition
}

// object is an object of one cluster.
type object struct {
	*state

	number   uint64 // makes its UID
	revision uint64
	created  int64 // seconds of Unix, as deleted
	deleted  int64 // 0 if it is not being deleted
}

// own are the fields of the metadata that belong to the object of one cluster.
var own = []string{"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}

// newState returns the state of an object that was in another state, or nil, before. It
// takes the fields apart.
func newState(r *resource, before *state, fields map[string]any) *state {
	metadata := childOf(fields, "metadata")
	for _, field := range own {
		delete(metadata, field)
	}
	s := &state{labels: make(map[string]string)}
	s.Namespace, _ = metadata["namespace"].(string)
	s.Name, _ = metadata["name"].(string)
	for key, value := range childOf(metadata, "labels") {
		s.labels[key], _ = value.(string)
	}
	s.generation, _ = metadata["generation"].(int64)
	finalizers, _ := metadata["finalizers"].([]any)
	s.finalizers = len(finalizers) > 0
	s.metadata = unbraced(mustJSON(metadata))
	s.define(r, before, fields)
	others := maps.Clone(fields)
	for _, field := range []string{"metadata", "kind", "apiVersion"} {
		delete(others, field)
	}
	if len(others) > 0 {
		s.rest = append([]byte(","), unbraced(mustJSON(others))...)
	}
	return s
}

// define sets what a CustomResourceDefinition defines: the same as before, unless its
// spec changed.
func (s *state) define(r *resource, before *state, fields map[string]any) {
	switch {
	case r.storage() != definitions:
	case before != nil && before.generation == s.generation:
		s.definition = before.definition
	default:
		s.definition = newDefinition(fields)
	}
}

// childOf returns a field that is a map; an empty one if it is not.
func childOf(fields map[string]any, name string) map[string]any {
	child, ok := fields[name].(map[string]any)
	if !ok {
		return map[string]any{}
	}
	return child
}

func unbraced(content []byte) []byte { return content[1 : len(content)-1] }

// fields returns the fields of the object of a resource, for the caller to change. The
// UID says only that the object exists.
func (s *state) fields(r *resource) map[string]any {
	content := fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{"uid":"exists",%s}%s}`,
		r.kind, r.groupVersion().String(), s.metadata, s.rest)
	return mustDecode(content)
}

// mustDecode returns the fields of JSON that this package made.
func mustDecode(content []byte) map[string]any {
	var fields map[string]any
	if err := utiljson.Unmarshal(content, &fields); err != nil {
		panic(fmt.Sprintf("JSON of an object: %v", err))
	}
	return fields
}

// uid returns the UID of an object of a cluster.
func (c *Cluster) uid(o *object) string {
	return fmt.Sprintf("%s-%04x-4000-8%03x-%012x", c.fleet.identity, c.index&0xffff, c.index>>16, o.number)
}

// ownMetadata returns the fields of the metadata that belong to an object of the
// cluster.
func (c *Cluster) ownMetadata(o *object) []byte {
	b := make([]byte, 0, 256)
	b = append(append(append(b, `"uid":"`...), c.uid(o)...), `","resourceVersion":"`...)
	b = strconv.AppendUint(b, o.revision, 10)
	b = append(b, `","creationTimestamp":"`...)
	b = time.Unix(o.created, 0).UTC().AppendFormat(b, time.RFC3339)
	b = append(b, '"')
	if o.deleted != 0 {
		b = append(b, `,"deletionTimestamp":"`...)
		b = time.Unix(o.deleted, 0).UTC().AppendFormat(b, time.RFC3339)
		b = append(b, `","deletionGracePeriodSeconds":0`...)
	}
	return append(b, ',')
}

// form is what a client asks for of an object.
type form int

const (
	whole form = iota
	metadataOnly
)

const metadataHead = `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{`

// parts returns an object as JSON, in parts to be sent one after the other.
func (c *Cluster) parts(r *resource, o *object, f form) [][]byte {
	if f == metadataOnly {
		return [][]byte{[]byte(metadataHead), c.ownMetadata(o), o.metadata, []byte("}}")}
	}
	head := fmt.Appendf(nil, `{"kind":%q,"apiVersion":%q,"metadata":{`, r.kind, r.groupVersion().String())
	return [][]byte{head, c.ownMetadata(o), o.metadata, []byte("}"), o.rest, []byte("}")}
}

// complete returns the JSON of a whole object.
func (c *Cluster) complete(r *resource, o *object) []byte {
	var content []byte
	for _, part := range c.parts(r, o, whole) {
		content = append(content, part...)
	}
	return content
}

// clone returns a copy of the fields of an object.
func clone(fields map[string]any) map[string]any {
	content, err := json.Marshal(fields)
	if err != nil {
		panic(fmt.Sprintf("JSON of an object: %v", err))
	}
	return mustDecode(content)
}
