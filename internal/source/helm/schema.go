//go:build !no_helm

package helm

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// schemaURL names the schema of a chart while it is compiled.
const schemaURL = "file:///values.schema.json"

// checkSchemas compares the values with the schema of the chart and those of its
// dependencies. Helm's own check would load what a schema refers to from the
// network and from the disk, and repeats values.
func checkSchemas(c *chartv2.Chart, values map[string]any) error {
	if c.Schema != nil {
		if err := checkSchema(c, values); err != nil {
			return err
		}
	}
	for _, dependency := range c.Dependencies() {
		table, ok := values[dependency.Name()].(map[string]any)
		if !ok {
			continue
		}
		if err := checkSchemas(dependency, table); err != nil {
			return err
		}
	}
	return nil
}

func checkSchema(c *chartv2.Chart, values map[string]any) error {
	where := c.ChartFullPath() + "/values.schema.json"
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(c.Schema))
	if err != nil {
		return invalid("%s: not JSON", where)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(refusingLoader{})
	if err := compiler.AddResource(schemaURL, selfContained(schema)); err != nil {
		return invalid("%s: %s", where, text.Line(err.Error(), maxText))
	}
	compiled, err := compiler.Compile(schemaURL)
	if err != nil {
		return invalid("%s: %s", where, text.Line(err.Error(), maxText))
	}
	err = compiled.Validate(values)
	if e, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return invalid("values do not fit %s: %s", where, sortedList(faults(e)))
	}
	if err != nil {
		return invalid("values cannot be compared with %s", where)
	}
	return nil
}

// selfContained takes out of a schema what refers to another file: there, every
// value is accepted.
func selfContained(schema any) any {
	switch schema := schema.(type) {
	case []any:
		for i, part := range schema {
			schema[i] = selfContained(part)
		}
	case map[string]any:
		for key, part := range schema {
			reference, ok := part.(string)
			if ok && refersElsewhere(key, reference) {
				delete(schema, key)
				continue
			}
			schema[key] = selfContained(part)
		}
	}
	return schema
}

func refersElsewhere(key, reference string) bool {
	switch key {
	case "$ref", "$dynamicRef", "$recursiveRef":
		return !strings.HasPrefix(reference, "#")
	case "$schema":
		_, host, _ := strings.Cut(reference, "://")
		return !strings.HasPrefix(host, "json-schema.org/")
	}
	return false
}

// refusingLoader loads nothing.
type refusingLoader struct{}

// Load refuses.
func (refusingLoader) Load(string) (any, error) {
	return nil, errors.New("a reference to another file")
}

// faults returns what is wrong, each with its field and without its value.
func faults(e *jsonschema.ValidationError) []string {
	if len(e.Causes) == 0 {
		field := text.Line(strings.Join(e.InstanceLocation, "."), maxText)
		if field == "" {
			field = "values"
		}
		return []string{field + " " + fieldFault(e.ErrorKind)}
	}
	var all []string
	for _, cause := range e.Causes {
		all = append(all, faults(cause)...)
	}
	return all
}

// fieldFault describes what is wrong with a field. Names of fields and what
// the schema wants are no secrets.
func fieldFault(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("must be %s and is %s", strings.Join(k.Want, " or "), k.Got)
	case *kind.Required:
		return "lacks " + text.Line(strings.Join(slices.Sorted(slices.Values(k.Missing)), " and "), maxText)
	case *kind.AdditionalProperties:
		return "must not hold " + text.Line(strings.Join(slices.Sorted(slices.Values(k.Properties)), " and "), maxText)
	}
	return text.Line(fmt.Sprintf("does not keep the rule %q", strings.Join(k.KeywordPath(), ".")), maxText)
}
