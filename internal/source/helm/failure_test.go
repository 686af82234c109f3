//go:build !no_helm

package helm_test

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

func TestTemplatesThatFail(t *testing.T) {
	t.Parallel()
	helpers := "{{ define \"ok\" }}x{{ end }}\n{{ define \"bad\" }}\n{{ .Values.none.field }}\n{{ end }}\n" +
		"{{ define \"loop\" }}{{ include \"loop\" . }}{{ end }}"
	tests := map[string]struct {
		given string
		names []string
	}{
		"no template":         {"{{ if }}", []string{"template web/templates/x.yaml:1", "missing value"}},
		"an unknown function": {"\n{{ env \"HOME\" }}", []string{"web/templates/x.yaml:2", `"env" not defined`}},
		"the environment":     {"{{ expandenv \"$HOME\" }}", []string{`"expandenv" not defined`}},
		"a message of the chart": {
			`{{ fail "set ingress.host" }}`, []string{"web/templates/x.yaml:1: set ingress.host"},
		},
		"a message in a pipe":      {`{{ "set ingress.host" | fail }}`, []string{"x.yaml:1: set ingress.host"}},
		"a message over two lines": {`{{ fail "set\nthe host" }}`, []string{"x.yaml:1: set the host"}},
		"a message in back quotes": {"{{ fail `set \"host\"` }}", []string{`x.yaml:1: set "host"`}},
		"a value that is required": {`{{ required "set the host" .Values.host }}`, []string{"x.yaml:1: set the host"}},
		"one that is empty":        {`{{ required "set the host" .Values.empty }}`, []string{"x.yaml:1: set the host"}},
		"a message with a value": {
			`{{ fail (printf "bad %s" .Values.password) }}`, []string{"x.yaml:1: fail", "not shown"},
		},
		"a message that is a value": {`{{ fail .Values.password }}`, []string{"x.yaml:1: fail", "not shown"}},
		"a required one with values": {
			`{{ required .Values.password .Values.host }}`, []string{"x.yaml:1: required", "not shown"},
		},
		"a field of nothing": {
			`{{ .Values.none.field }}`, []string{"x.yaml:1", "reads field of what is not set"},
		},
		"a field of a text": {
			`{{ .Values.password.field }}`, []string{"x.yaml:1", "reads field of what has no fields"},
		},
		"a value of the wrong type": {`{{ until .Values.password }}`, []string{"x.yaml:1", "wrong type", "int"}},
		"a range over a text": {
			`{{ range .Values.number }}{{ end }}`, []string{"x.yaml:1", "no list and no mapping"},
		},
		"text that is no JSON": {
			`{{ mustFromJson .Values.password }}`, []string{"x.yaml:1", "the function mustFromJson fails", "not shown"},
		},
		"a template without a name": {`{{ template "none" . }}`, []string{"x.yaml", "not defined"}},
		"one that includes nothing": {`{{ include "none" . }}`, []string{"x.yaml:1", "not defined"}},
		"one that includes itself":  {`{{ include "loop" . }}`, []string{"includes itself without end"}},
		"a helper": {
			"\n\n" + `{{ include "bad" . }}`,
			[]string{"web/templates/_help.tpl:3", "web/templates/x.yaml:3 uses", "reads field"},
		},
		"a value that is a template": {`{{ tpl .Values.template . }}`, []string{"x.yaml:1", "not shown"}},
		"one that cannot be parsed": {
			`{{ tpl (printf "{{ %s }}" .Values.password) . }}`, []string{"x.yaml:1", "the function tpl"},
		},
		"a regular expression": {
			`{{ mustRegexMatch (printf "(%s" .Values.password) "x" }}`, []string{"x.yaml:1", "mustRegexMatch"},
		},
		"an index that is not there": {`{{ index .Values.list 7 }}`, []string{"x.yaml:1"}},
		"no YAML": {
			"a: b\nkind: {{ .Values.password }}: x", []string{"template web/templates/x.yaml", "no YAML", "line 2"},
		},
		"no object": {
			"- {{ .Values.password }}", []string{"template web/templates/x.yaml", "no YAML of a Kubernetes object"},
		},
	}
	values := map[string]any{
		"password": secret, "empty": "", "number": 1.5, "list": []any{secret},
		"template": `{{ fail (printf "` + secret + ` %s" "x") }}`,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart := files{"templates/_help.tpl": helpers, "templates/x.yaml": test.given}.with(nil)
			out, err := render(t, chart, options(values))
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, append(test.names, "chart web: ")...)
			if out != "" {
				t.Errorf("want no output, got %q", out)
			}
		})
	}
}

func TestLongMessageOfAChartIsCut(t *testing.T) {
	t.Parallel()
	chart := files{"templates/x.yaml": `{{ fail "` + strings.Repeat("long ", 1000) + `" }}`}.with(nil)
	_, err := render(t, chart, options(nil))
	wantTerminal(t, err, v1alpha1.ChartInvalidReason, "long long", "…")
}

const schema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["host"],
  "additionalProperties": false,
  "definitions": {"port": {"type": "integer"}},
  "properties": {
    "host": {"type": "string", "pattern": "^[a-z]+$"},
    "mode": {"enum": ["a", "b"]},
    "port": {"type": ["integer", "null"], "maximum": 10},
    "tls": {"type": "object", "properties": {"key": {"type": "array", "items": {"type": "string"}}}},
    "other": {"$ref": "https://example.invalid/schema.json#/definitions/x"},
    "local": {"$ref": "file:///etc/hostname"},
    "here": {"$ref": "#/definitions/port"},
    "global": {}, "db": {}
  }
}`

func TestSchema(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given map[string]any
		names []string
	}{
		"all well": {
			map[string]any{"host": "a", "mode": "b", "port": 1, "tls": map[string]any{"key": []any{"x"}}}, nil,
		},
		"references elsewhere": {map[string]any{"host": "a", "other": 1, "local": "x"}, nil},
		"a reference in the file": {
			map[string]any{"host": "a", "here": secret}, []string{"here must be integer and is string"},
		},
		"a missing field":   {nil, []string{"web/values.schema.json", "values lacks host"}},
		"a field of no use": {map[string]any{"host": "a", "hots": secret}, []string{"values must not hold hots"}},
		"a wrong type":      {map[string]any{"host": []any{secret}}, []string{"host must be string and is array"}},
		"one of two types": {
			map[string]any{"host": "a", "port": secret}, []string{"port must be null or integer and is string"},
		},
		"a deeper one": {
			map[string]any{"host": "a", "tls": map[string]any{"key": []any{"x", map[string]any{"a": secret}}}},
			[]string{"tls.key.1 must be string and is object"},
		},
		"a pattern": {map[string]any{"host": secret}, []string{`host does not keep the rule "pattern"`}},
		"a choice": {
			map[string]any{"host": "a", "mode": secret}, []string{`mode does not keep the rule "enum"`},
		},
		"a range": {
			map[string]any{"host": "a", "port": 11}, []string{`port does not keep the rule "maximum"`},
		},
		"several at once": {map[string]any{"host": 1.5, "mode": "c"}, []string{"host must be", "mode does not"}},
		"a table in a text": {
			map[string]any{"host": "a", "tls": secret}, []string{"tls must be object and is string"},
		},
		"values of a dependency": {
			map[string]any{"host": "a", "db": map[string]any{"size": secret}},
			[]string{"web/charts/db/values.schema.json", "size must be integer"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, files{
				"values.schema.json":           schema,
				"charts/db/Chart.yaml":         "apiVersion: v2\nname: db\nversion: 1.0.0\n",
				"charts/db/values.schema.json": `{"properties": {"size": {"type": "integer"}}}`,
			}.with(nil), options(test.given))
			if test.names == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, append(test.names, "chart web: ")...)
		})
	}
	for name, text := range map[string]string{
		"no JSON":         "{",
		"no schema":       `{"type": 7}`,
		"a bad reference": `{"$ref": "#/nowhere"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, files{"values.schema.json": text}.with(nil), options(nil))
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, "web/values.schema.json")
		})
	}
}

// TestValuesOfTheWrongTypeAreNotLogged looks at what Helm's library would write to
// the standard loggers: they belong to the process, so the test is not parallel.
func TestValuesOfTheWrongTypeAreNotLogged(t *testing.T) {
	var logged bytes.Buffer
	before, writer, flags := slog.Default(), log.Writer(), log.Flags()
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil))) // and what log writes
	defer func() {
		slog.SetDefault(before)
		log.SetOutput(writer)
		log.SetFlags(flags)
	}()
	table := func(key string, value any) map[string]any { return map[string]any{key: value} }
	tests := map[string]struct {
		given map[string]any
		names []string
	}{
		"a text for a dependency": {table("db", secret), []string{"values: db must be a mapping"}},
		"a list for an alias":     {table("archive", []any{secret}), []string{"archive must be a mapping"}},
		"a global text over a table": {
			map[string]any{
				"global": table("a", table("x", table("y", 1))),
				"db":     table("global", table("a", table("x", secret))),
			},
			[]string{"global.a.x", "db.global.a.x"},
		},
		"a global table over a text": {
			map[string]any{
				"global": table("a", table("x", secret)),
				"db":     table("global", table("a", table("x", table("y", secret)))),
			},
			[]string{"global.a.x"},
		},
		"a text where a table stood":   {table("mapping", secret), nil},
		"a table where a text stood":   {table("text", table("a", secret)), nil},
		"a deep text for a table":      {table("mapping", table("inner", secret)), nil},
		"a deep table for a text":      {table("mapping", table("flat", table("a", secret))), nil},
		"a text for a condition":       {table("db", table("enabled", secret)), nil},
		"a text for the tags":          {table("tags", table("storage", secret)), nil},
		"a text for the globals":       {table("global", secret), nil},
		"values that nothing asks for": {table("nobody", secret), nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			logged.Reset()
			chart := umbrella(t)
			chart["values.yaml"] = "mapping: {inner: {a: b}, flat: c}\ntext: d\narchive: {enabled: false}\n"
			chart["charts/loose/templates/y"] = "kind: Job\n"
			_, err := render(t, chart, options(test.given))
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%v repeats a value", err)
			}
			if strings.Contains(logged.String(), secret) {
				t.Errorf("a value was logged: %s", logged.String())
			}
			if test.names != nil {
				wantTerminal(t, err, v1alpha1.ChartInvalidReason, test.names...)
			}
		})
	}
}
