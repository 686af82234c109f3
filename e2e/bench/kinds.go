package main

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// kinds knows the resources of a release's kinds, so that nobody has to ask for them.
type kinds struct {
	// defined by the CRDs of the release.
	defined map[schema.GroupKind]string
}

func kindsOf(objects []*Object) kinds {
	k := kinds{defined: map[schema.GroupKind]string{}}
	for _, o := range objects {
		if !o.IsDefinition() {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		k.defined[schema.GroupKind{Group: group, Kind: kind}] = plural
	}
	return k
}

// isDefined reports whether the object is of a kind that the release itself defines.
func (k kinds) isDefined(o *Object) bool {
	_, ok := k.defined[o.GroupVersionKind().GroupKind()]
	return ok
}

// resource of the object.
func (k kinds) resource(o *Object) schema.GroupVersionResource {
	kind := o.GroupVersionKind()
	if plural, ok := k.defined[kind.GroupKind()]; ok {
		return kind.GroupVersion().WithResource(plural)
	}
	resource, _ := meta.UnsafeGuessKindToResource(kind) // Kubernetes' own kinds are regular.
	return resource
}

// path of the object in the API.
func (k kinds) path(o *Object) string {
	resource := k.resource(o)
	path := "/apis/" + resource.Group + "/" + resource.Version
	if resource.Group == "" {
		path = "/api/" + resource.Version
	}
	if o.GetNamespace() != "" {
		path += "/namespaces/" + o.GetNamespace()
	}
	return path + "/" + resource.Resource + "/" + o.GetName()
}

// served are the resources that the CRDs define, in every version that they serve.
func served(objects []*Object) map[schema.GroupVersion][]string {
	all := map[schema.GroupVersion][]string{}
	for _, o := range objects {
		if !o.IsDefinition() {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		versions, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
		for _, version := range versions {
			fields, _ := version.(map[string]any)
			name, _ := fields["name"].(string)
			if serves, _ := fields["served"].(bool); serves {
				gv := schema.GroupVersion{Group: group, Version: name}
				all[gv] = append(all[gv], plural)
			}
		}
	}
	return all
}
