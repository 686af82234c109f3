package edit_test

import (
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
)

// definition is a CustomResourceDefinition with two versions, of which both have the
// schema.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.org, labels: {}, annotations: {description: stays}}
spec:
  group: example.org
  scope: Cluster
  names: {kind: Thing, plural: things}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: A, type: string, jsonPath: .spec.a, description: stays}]
    schema: {openAPIV3Schema: SCHEMA}
  - name: v2
    served: false
    storage: false
    schema: {openAPIV3Schema: SCHEMA}
`

func TestDescriptionsAreStrippedFromSchemasAndFromNothingElse(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"at the top":   {"{type: object, description: d}", "{type: object}"},
		"none":         {"{type: object}", ""},
		"an empty one": {"{type: object, description: ''}", "{type: object}"},
		"a property":   {"{properties: {a: {type: string, description: d}}}", "{properties: {a: {type: string}}}"},
		"a property called description": {
			"{description: d, properties: {description: {type: string, description: d}}}", "{properties: {description: {type: string}}}"},
		"a property called description that requires nothing": {
			"{properties: {description: {type: string}}, required: [description]}", ""},
		"a property called properties": {
			"{properties: {properties: {description: d, properties: {description: {description: d, type: string}}}}}",
			"{properties: {properties: {properties: {description: {type: string}}}}}"},
		"a property called items": {
			"{properties: {items: {type: array, description: d, items: {description: d, type: string}}}}",
			"{properties: {items: {type: array, items: {type: string}}}}"},
		"items":                              {"{items: {description: d, type: string}}", "{items: {type: string}}"},
		"items as a list":                    {"{items: [{description: d}, {description: d, type: string}]}", "{items: [{}, {type: string}]}"},
		"additional properties":              {"{additionalProperties: {description: d, type: string}}", "{additionalProperties: {type: string}}"},
		"additional properties as a boolean": {"{description: d, additionalProperties: true}", "{additionalProperties: true}"},
		"additional items":                   {"{additionalItems: {description: d}}", "{additionalItems: {}}"},
		"all of, any of, one of": {
			"{allOf: [{description: d}], anyOf: [{description: d, required: [a]}], oneOf: [{not: {description: d}}]}",
			"{allOf: [{}], anyOf: [{required: [a]}], oneOf: [{not: {}}]}"},
		"patterns, definitions, dependencies": {
			"{patternProperties: {a: {description: d}}, definitions: {description: {description: d}}, dependencies: {a: [description], b: {description: d}}}",
			"{patternProperties: {a: {}}, definitions: {description: {}}, dependencies: {a: [description], b: {}}}"},
		"a default":  {"{type: object, default: {description: stays, properties: {a: {description: stays}}}}", ""},
		"an example": {"{type: object, example: {description: stays}}", ""},
		"an enum":    {"{enum: [{description: stays}, description]}", ""},
		"what Kubernetes adds": {
			"{description: d, x-kubernetes-int-or-string: true, x-kubernetes-preserve-unknown-fields: true, " +
				"x-kubernetes-validations: [{rule: has(self.description), message: 'description: stays'}], " +
				"x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [description], externalDocs: {description: stays, url: u}}",
			"{x-kubernetes-int-or-string: true, x-kubernetes-preserve-unknown-fields: true, " +
				"x-kubernetes-validations: [{rule: has(self.description), message: 'description: stays'}], " +
				"x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [description], externalDocs: {description: stays, url: u}}"},
		"a schema of the wrong shape": {"{properties: [a], items: 5, allOf: {description: stays}, description: {a: stays}}", ""},
		"no schema":                   {"null", ""},
	}
	strip := newEdit(t, v1alpha1.Edits{CRDDescriptions: v1alpha1.StripCRDDescriptions}, edit.Definitions{})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, changed := edited(t, strip, strings.ReplaceAll(definition, "SCHEMA", test.given))
			if changed != (test.want != "") {
				t.Errorf("reports a change: %t", changed)
			}
			want := test.want
			if want == "" {
				want = test.given
			}
			sameYAML(t, strings.ReplaceAll(definition, "SCHEMA", want), got)
		})
	}
}

func TestDescriptionsOfOtherKindsStay(t *testing.T) {
	t.Parallel()
	strip := newEdit(t, v1alpha1.Edits{CRDDescriptions: v1alpha1.StripCRDDescriptions}, edit.Definitions{})
	for _, text := range []string{
		strings.Replace(definition, "apiextensions.k8s.io/v1", "example.org/v1", 1),
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {description: stays}}",
		"{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: a}, value: 1, description: stays}",
	} {
		text = strings.ReplaceAll(text, "SCHEMA", "{description: stays}")
		if _, entries := indexed(t, text); strip.Touches(entries[0]) {
			t.Errorf("%s is read", entries[0].Ref)
		}
		if _, changed := edited(t, strip, text); changed {
			t.Errorf("changed:\n%s", text)
		}
	}
}
