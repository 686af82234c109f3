package helm

import (
	"bytes"
	"encoding/json"
	"strings"
	"text/template"

	"github.com/BurntSushi/toml"
	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// formatFunctions returns the functions of Helm's engine between values and text.
// They do what those in helm.sh/helm/v4/pkg/engine do; a test compares them.
func formatFunctions() template.FuncMap {
	return template.FuncMap{
		"toYaml":        func(v any) string { text, _ := yamlText(v); return text },
		"mustToYaml":    yamlText,
		"toYamlPretty":  prettyYAML,
		"fromYaml":      func(text string) map[string]any { return mappingOf(text, unmarshalYAML) },
		"fromYamlArray": func(text string) []any { return listOf(text, unmarshalYAML) },
		"toJson":        func(v any) string { text, _ := jsonText(v); return text },
		"mustToJson":    jsonText,
		"fromJson":      func(text string) map[string]any { return mappingOf(text, json.Unmarshal) },
		"fromJsonArray": func(text string) []any { return listOf(text, json.Unmarshal) },
		"toToml":        tomlOrError,
		"mustToToml":    tomlText,
		"fromToml":      func(text string) map[string]any { return mappingOf(text, toml.Unmarshal) },
	}
}

func yamlText(v any) (string, error) {
	text, err := yaml.Marshal(v)
	return strings.TrimSuffix(string(text), "\n"), err
}

func prettyYAML(v any) string {
	var out bytes.Buffer
	encoder := goyaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func jsonText(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

func tomlText(v any) (string, error) {
	var out bytes.Buffer
	err := toml.NewEncoder(&out).Encode(v)
	return out.String(), err
}

func tomlOrError(v any) string {
	text, err := tomlText(v)
	if err != nil {
		return err.Error()
	}
	return text
}

func unmarshalYAML(text []byte, into any) error { return yaml.Unmarshal(text, into) }

// mappingOf returns the mapping in a text, with the error under the key Error.
func mappingOf(text string, unmarshal func([]byte, any) error) map[string]any {
	mapping := map[string]any{}
	if err := unmarshal([]byte(text), &mapping); err != nil {
		mapping["Error"] = err.Error()
	}
	return mapping
}

// listOf returns the list in a text, or one with the error.
func listOf(text string, unmarshal func([]byte, any) error) []any {
	list := []any{}
	if err := unmarshal([]byte(text), &list); err != nil {
		list = []any{err.Error()}
	}
	return list
}
