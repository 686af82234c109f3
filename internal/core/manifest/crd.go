package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CRD holds the facts of a CustomResourceDefinition that planning and gates need.
type CRD struct {
	// Group is the API group that is extended.
	Group string `json:"group"`
	// Kind is the kind that is defined.
	Kind string `json:"kind"`
	// ListKind is the kind of its lists, by default Kind with "List" behind it.
	ListKind string `json:"listKind"`
	// Plural is the name of the resource in paths.
	Plural string `json:"plural"`
	// Singular is the singular of Plural, by default Kind in lower case.
	Singular string `json:"singular"`
	// ShortNames are the short names in the order that they are written in.
	ShortNames []string `json:"shortNames,omitempty"`
	// Namespaced is true for objects that live in namespaces.
	Namespaced bool `json:"namespaced,omitempty"`
	// Served are the names of the versions with served: true, sorted.
	Served []string `json:"served"`
	// Versions are the names of all versions, sorted.
	Versions []string `json:"versions"`
}

// crdOf returns the facts of an object that is a CustomResourceDefinition of
// the version v1, the only one that Kubernetes still serves, and nil for others.
func crdOf(ref Ref, tree map[string]any) (*CRD, error) {
	if ref.Group != "apiextensions.k8s.io" || ref.Version != "v1" || ref.Kind != "CustomResourceDefinition" {
		return nil, nil
	}
	spec, _ := tree["spec"].(map[string]any)
	names, _ := spec["names"].(map[string]any)
	crd := &CRD{
		Group:      textOf(spec, "group"),
		Kind:       textOf(names, "kind"),
		ListKind:   textOf(names, "listKind"),
		Plural:     textOf(names, "plural"),
		Singular:   textOf(names, "singular"),
		ShortNames: textsOf(names, "shortNames"),
		Namespaced: spec["scope"] == "Namespaced",
	}
	crd.Versions, crd.Served = versionsOf(spec)
	crd.ListKind = cmp.Or(crd.ListKind, crd.Kind+"List")
	crd.Singular = cmp.Or(crd.Singular, strings.ToLower(crd.Kind))
	if spec["scope"] != "Namespaced" && spec["scope"] != "Cluster" {
		return nil, errors.New("spec.scope is neither Namespaced nor Cluster")
	}
	return crd, crd.check()
}

// check refuses facts that must not be part of a request path.
func (c *CRD) check() error {
	for _, field := range []struct{ name, value string }{
		{"spec.group", c.Group},
		{"spec.names.kind", c.Kind},
		{"spec.names.plural", c.Plural},
	} {
		if field.value == "" {
			return fmt.Errorf("%s is missing", field.name)
		}
		if !isPlain(field.value) {
			return fmt.Errorf("%s %s: only letters, digits, - and . are allowed", field.name, quote(field.value))
		}
	}
	return nil
}

// versionsOf returns the names of all versions and of those that are served, sorted.
func versionsOf(spec map[string]any) (all, served []string) {
	versions, _ := spec["versions"].([]any)
	for _, v := range versions {
		version, _ := v.(map[string]any)
		name := textOf(version, "name")
		if name == "" {
			continue
		}
		all = append(all, name)
		if version["served"] == true {
			served = append(served, name)
		}
	}
	slices.Sort(all)
	slices.Sort(served)
	return slices.Compact(all), slices.Compact(served)
}

// textOf returns a field that is text, or nothing.
func textOf(object map[string]any, field string) string {
	s, _ := object[field].(string)
	return s
}

// textsOf returns the texts of a field that is a sequence.
func textsOf(object map[string]any, field string) []string {
	values, _ := object[field].([]any)
	var texts []string
	for _, v := range values {
		if s, ok := v.(string); ok {
			texts = append(texts, s)
		}
	}
	return texts
}
