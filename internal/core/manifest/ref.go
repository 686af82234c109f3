package manifest

import (
	"cmp"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Ref names an object.
type Ref struct {
	// Group is the API group, empty for the core group.
	Group string `json:"group,omitempty"`
	// Version is the version of the group.
	Version string `json:"version"`
	// Kind is the kind as it is written in the object.
	Kind string `json:"kind"`
	// Namespace is the namespace as it is written in the object, or empty.
	Namespace string `json:"namespace,omitempty"`
	// Name is the name of the object.
	Name string `json:"name"`
}

// String returns the kind and the name for people to read, as in
// "Deployment tigera-operator/tigera-operator". The group is left out.
func (r Ref) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// Compare orders by group, kind, namespace, name and version, in this order.
func (r Ref) Compare(other Ref) int {
	return cmp.Or(
		cmp.Compare(r.Group, other.Group),
		cmp.Compare(r.Kind, other.Kind),
		cmp.Compare(r.Namespace, other.Namespace),
		cmp.Compare(r.Name, other.Name),
		cmp.Compare(r.Version, other.Version),
	)
}

// GroupKind returns the group and the kind.
func (r Ref) GroupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.Group, Kind: r.Kind}
}

// Place is where an object is in a source, for messages.
type Place struct {
	// Source is the name of the source, such as a file name.
	Source string `json:"source"`
	// Document is the number of the document, from 1. Documents that hold
	// nothing but comments are not counted.
	Document int `json:"document"`
	// Item is the number of the object in a List or a JSON array, from 1, or 0
	// for an object that is a document of its own. Nested lists are counted
	// through.
	Item int `json:"item,omitempty"`
	// Line is the line in the source at which the document's content begins,
	// from 1.
	Line int `json:"line"`
}

// String returns the place as in "crds.yaml, document 17, item 3 (line 1204)".
func (p Place) String() string {
	if p.Item == 0 {
		return fmt.Sprintf("%s, document %d (line %d)", p.Source, p.Document, p.Line)
	}
	return fmt.Sprintf("%s, document %d, item %d (line %d)", p.Source, p.Document, p.Item, p.Line)
}

// Compare orders places by source, document and item.
func (p Place) Compare(other Place) int {
	return cmp.Or(
		cmp.Compare(p.Source, other.Source),
		cmp.Compare(p.Document, other.Document),
		cmp.Compare(p.Item, other.Item),
		cmp.Compare(p.Line, other.Line),
	)
}
