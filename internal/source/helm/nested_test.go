package helm_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// TestNestedTemplatesHaveTheSameFunctions compares what Helm's engine gives with
// what include and tpl give.
func TestNestedTemplatesHaveTheSameFunctions(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]string{
		"toYaml":         `{{ toYaml .Values.map }}`,
		"mustToYaml":     `{{ mustToYaml .Values.map }}`,
		"toYamlPretty":   `{{ toYamlPretty .Values.map }}`,
		"fromYaml":       `{{ (fromYaml "a: {b: [1]}").a.b }}`,
		"fromYaml none":  `{{ (fromYaml "a: b: c").Error }}`,
		"fromYamlArray":  `{{ fromYamlArray "[1, a]" }}{{ fromYamlArray "a: b" }}`,
		"toJson":         `{{ toJson .Values.map }}`,
		"mustToJson":     `{{ mustToJson .Values.map }}`,
		"fromJson":       `{{ (fromJson "{\"a\":1}").a }}{{ (fromJson "{").Error }}`,
		"fromJsonArray":  `{{ fromJsonArray "[1]" }}{{ fromJsonArray "{" }}`,
		"toToml":         `{{ toToml .Values.map | replace "\n" ";" }}{{ toToml 1 }}`,
		"mustToToml":     `{{ mustToToml .Values.map | replace "\n" ";" }}`,
		"fromToml":       `{{ (fromToml "a = 1").a }}{{ (fromToml "=").Error }}`,
		"lookup":         `{{ lookup "v1" "Secret" "a" "b" }}`,
		"getHostByName":  `{{ getHostByName "localhost" }}`,
		"sprig":          `{{ "x" | upper | b64enc | quote }}{{ keys .Values.map | join "" }}`,
		"capabilities":   `{{ .Capabilities.APIVersions.Has "apps/v1" }}{{ .Chart.Name }}{{ .Template.Name }}`,
		"nested include": `{{ include "inner" . }}{{ template "inner" . }}`,
		"nested tpl":     `{{ tpl "{{ .Release.Name }}{{ include \"inner\" . }}" . }}`,
		"a whole file":   `{{ include (print .Template.BasePath "/other.yaml") . | sha256sum }}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart := files{
				"templates/_x.tpl":     `{{ define "inner" }}{{ .Chart.Version }}{{ end }}`,
				"templates/other.yaml": "# {{ .Values.map.a }}",
				"templates/x.yaml": `{{ define "call" }}` + call + "{{ end }}kind: X\n" +
					`# {{ "<" }}{{ template "call" . }}{{ ">" }}` + "\nincluded: {{ include \"call\" . | sha256sum }}\n" +
					"run: {{ tpl .Values.text . | sha256sum }}\n",
			}.with(nil)
			mapping := map[string]any{"a": "b", "c": []any{1.0, "<d>"}, "e": nil}
			out, err := render(t, chart, options(map[string]any{"text": call, "map": mapping}))
			if err != nil {
				t.Fatal(err)
			}
			_, direct, _ := strings.Cut(out, "# <")
			direct, rest, _ := strings.Cut(direct, ">\nincluded: ")
			want := digest.FromString(direct).Encoded()
			if rest != want+"\nrun: "+want+"\n" {
				t.Errorf("want twice the sha256 of %q, %s, got %s", direct, want, rest)
			}
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	t.Parallel()
	doubling := `{{ define "n0" }}xxxxxxxxxxxxxxxx{{ end }}`
	for i := range 30 {
		doubling += fmt.Sprintf(`{{ define "n%d" }}{{ include "n%d" . }}{{ include "n%[2]d" . }}{{ end }}`, i+1, i)
	}
	tests := map[string]struct {
		given string
		text  string
		names []string
	}{
		"tpl of itself": {
			`{{ tpl .Values.text . }}`, `{{ tpl .Values.text . }}`,
			[]string{"the function tpl", "over and over"},
		},
		"include of itself": {
			`{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}`, "",
			[]string{"without end"},
		},
		"tpl and include of both": {
			`{{ define "a" }}{{ tpl .Values.text . }}{{ end }}{{ include "a" . }}`, `{{ include "a" . }}`,
			[]string{"over and over"},
		},
		"one that doubles": {
			doubling + `{{ include "n30" . }}`, "",
			[]string{"the function include", "limit"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart := packed(t, files{"templates/x.yaml": test.given}.with(nil))
			opts := options(map[string]any{"text": test.text})
			_, err := helm.Render(t.Context(), bytes.NewReader(chart), io.Discard, opts, complete(helm.Limits{OutputBytes: 1 << 16}))
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, append(test.names, "web/templates/x.yaml:1")...)
		})
	}
}
