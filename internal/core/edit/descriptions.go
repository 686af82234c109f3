package edit

import "github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"

// How a schema holds other schemas: in one field, in a list, or by names, which may be
// those of the fields here. Everything else in it is no schema: what an enum, a default
// or an example holds stays as it is.
var (
	schemaFields = []string{"items", "additionalItems", "additionalProperties", "not"}
	schemaLists  = []string{"items", "allOf", "anyOf", "oneOf"}
	schemaMaps   = []string{"properties", "patternProperties", "definitions", "dependencies"}
)

// stripDescriptions removes the descriptions from the schemas of a
// CustomResourceDefinition, and reports whether there were any.
func stripDescriptions(ref manifest.Ref, tree map[string]any) (changed bool) {
	if ref.Group != "apiextensions.k8s.io" || ref.Kind != "CustomResourceDefinition" {
		return false
	}
	spec, _ := tree["spec"].(map[string]any)
	versions, _ := spec["versions"].([]any)
	for _, v := range versions {
		version, _ := v.(map[string]any)
		schema, _ := version["schema"].(map[string]any)
		changed = stripSchema(schema["openAPIV3Schema"]) || changed
	}
	return changed
}

// stripSchema removes the descriptions from a schema and from those in it. What is no
// schema, as a boolean in the place of one, has none.
func stripSchema(value any) (changed bool) {
	schema, ok := value.(map[string]any)
	if !ok {
		return false
	}
	if _, ok := schema["description"].(string); ok {
		delete(schema, "description")
		changed = true
	}
	for _, field := range schemaFields {
		changed = stripSchema(schema[field]) || changed
	}
	for _, field := range schemaLists {
		list, _ := schema[field].([]any)
		for _, item := range list {
			changed = stripSchema(item) || changed
		}
	}
	for _, field := range schemaMaps {
		named, _ := schema[field].(map[string]any)
		for _, item := range named {
			changed = stripSchema(item) || changed
		}
	}
	return changed
}
