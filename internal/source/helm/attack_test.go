//go:build !no_helm

package helm_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

func TestMain(m *testing.M) {
	child.Main(helm.RenderTask, helm.ValuesTask)
	os.Exit(m.Run())
}

// children returns what runs children with little memory.
func children(t testing.TB, limit time.Duration) *child.Runner {
	t.Helper()
	cfg := child.DefaultConfig()
	cfg.Memory, cfg.Processor, cfg.Time = 192<<20, limit, 5*time.Minute
	r, err := child.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// apart renders a chart in a child process.
func apart(t testing.TB, by *child.Runner, chart files, opts helm.Options) (string, error) {
	t.Helper()
	var out strings.Builder
	_, err := helm.RenderTask.Run(t.Context(), by, child.Call[helm.RenderRequest]{
		In: helm.RenderRequest{Options: opts, Limits: helm.DefaultLimits()}, Body: bytes.NewReader(packed(t, chart)), Output: &out,
	})
	return out.String(), err
}

const (
	// endless is the time of what never ends, or takes all memory: whichever comes first.
	endless = time.Second
	// enough is never waited for.
	enough = time.Minute
)

// included returns templates, each of which includes the one before it twice.
func included(levels int, first string) string {
	all := `{{ define "n0" }}` + first + `{{ end }}`
	for i := range levels {
		all += fmt.Sprintf(`{{ define "n%d" }}{{ include "n%d" . }}{{ include "n%[2]d" . }}{{ end }}`, i+1, i)
	}
	return all + fmt.Sprintf(`{{ include "n%d" . }}`, levels)
}

// inACircle returns templates, each of which includes the next one, and the last the first.
func inACircle(templates int) string {
	all := ""
	for i := range templates {
		all += fmt.Sprintf(`{{ define "c%d" }}{{ include "c%d" . }}{{ end }}`, i, (i+1)%templates)
	}
	return all + `{{ include "c0" . }}`
}

// doubled returns a schema with references, each of which stands for two others.
func doubled(levels int) string {
	all := `{"$defs": {"d0": {"type": "object"}`
	for i := range levels {
		all += fmt.Sprintf(`, "d%d": {"allOf": [{"$ref": "#/$defs/d%d"}, {"$ref": "#/$defs/d%[2]d"}]}`, i+1, i)
	}
	return all + fmt.Sprintf(`}, "$ref": "#/$defs/d%d"}`, levels)
}

// shared returns a template with lists on some levels, each of which has the one before
// it many times: what writes it out writes all of them.
func shared(levels, times int) string {
	all := `{{ $a := list "x" }}`
	for range levels {
		all += `{{ $a = list` + strings.Repeat(" $a", times) + ` }}`
	}
	return all
}

// aliases is shared as YAML.
func aliases(levels, times int) string {
	all := "l0: &l0 [x]\n"
	for i := range levels {
		all += fmt.Sprintf("l%d: &l%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), times), ", "))
	}
	return all
}

// TestAChartHarmsOnlyItsChild renders what never ended, or ended the manager, before
// charts were rendered in a child process.
func TestAChartHarmsOnlyItsChild(t *testing.T) {
	t.Parallel()
	const (
		crash  = v1alpha1.ChartInvalidReason
		limit  = v1alpha1.LimitExceededReason
		itself = `{{ $d := dict "a" "` + secret + `" }}{{ $_ := set $d "b" $d }}`
	)
	tests := map[string]struct {
		template string
		time     time.Duration
		reason   string
	}{
		"a dict that contains itself":     {itself + `{{ $d }}`, enough, crash},
		"toToml of it":                    {itself + `{{ toToml $d }}`, endless, limit},
		"templates that include each":     {inACircle(100), enough, crash},
		"templates that include it twice": {included(60, ""), endless, limit},
		"a text that doubles":             {included(60, "xxxxxxxxxxxxxxxx"), endless, limit},
		"a range over 2^63":               {`{{ range 9223372036854775807 }}{{ end }}`, endless, limit},
		"a list of 2^62 numbers":          {`{{ until 4611686018427387904 | len }}`, endless, limit},
		"a text repeated":                 {`{{ repeat 1000000000 "xxxxxxxxxxxxxxxxxxxx" }}`, endless, limit},
		"60 aliases on five levels":       {shared(5, 60) + `{{ toJson $a | len }}`, endless, limit},
		"an indentation":                  {`{{ indent 1000000000 "x" }}`, endless, limit},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := apart(t, children(t, tc.time), files{"templates/x.yaml": tc.template}.with(nil), options(nil))
			wantTerminal(t, err, tc.reason, "rendering: ")
		})
	}
	t.Run("tpl of itself", func(t *testing.T) {
		t.Parallel()
		const text = `{{ tpl .Values.a . }}`
		_, err := apart(t, children(t, endless), files{"templates/x.yaml": text}.with(nil), options(map[string]any{"a": text}))
		if reason := fault.ReasonOf(err, ""); reason != crash && reason != limit { // whichever comes first
			t.Errorf("want %s or %s, got %v", crash, limit, err)
		}
	})
	t.Run("a schema of doubled references", func(t *testing.T) {
		t.Parallel()
		_, err := apart(t, children(t, endless), files{"values.schema.json": doubled(60)}.with(nil), options(nil))
		wantTerminal(t, err, limit, "rendering: ")
	})
}

func TestValuesHarmOnlyTheirChild(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text         string
		time         time.Duration
		reason, want string
	}{
		"60 aliases on five levels": {aliases(5, 60), enough, v1alpha1.ReferenceInvalidReason, "Secret 0: not YAML"},
		"a million small mappings":  {"a: [" + strings.Repeat("{},", 1<<20-10) + "]", endless, v1alpha1.LimitExceededReason, "values: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := helm.ValuesTask.Run(t.Context(), children(t, tc.time), child.Call[helm.ValuesRequest]{
				In: helm.ValuesRequest{Documents: documents(tc.text)}, Output: io.Discard,
			})
			wantTerminal(t, err, tc.reason, tc.want)
		})
	}
}

func TestValuesAreThoseOfTheirChild(t *testing.T) {
	t.Parallel()
	given := documents("a: {b: 1, b: 2, big: 12345678901234567890, html: <&>}", "c: [null, .5, 'x']")
	inline := []byte(`{"d": {"e": "\u2028"}}`)
	want, wantWarnings, err := helm.Values(given, inline)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	warnings, err := helm.ValuesTask.Run(t.Context(), children(t, enough), child.Call[helm.ValuesRequest]{
		In: helm.ValuesRequest{Documents: given, Inline: inline}, Output: &got,
	})
	if err != nil || got.String() != string(want) || strings.Join(warnings, "\n") != strings.Join(wantWarnings, "\n") {
		t.Errorf("want %s and %v, got %s and %v, %v", want, wantWarnings, &got, warnings, err)
	}
}

func TestAChartIsRenderedInAChildAsHere(t *testing.T) {
	t.Parallel()
	chart := files{
		"crds/a.yaml":      crd,
		"templates/x.yaml": configMap + "  got: {{ .Values.text | quote }}\n  ca: {{ (genCA \"x\" 1).Cert | quote }}\n",
	}.with(nil)
	opts := options(map[string]any{"text": "<given>\u2028"})
	opts.Random = helm.PlaceholderRandom
	want, err := render(t, chart, opts)
	if err != nil {
		t.Fatal(err)
	}
	got, err := apart(t, children(t, enough), chart, opts)
	if err != nil || got != want {
		t.Errorf("want\n%s\ngot\n%s\n%v", want, got, err)
	}
	_, err = apart(t, children(t, enough), files{"templates/x.yaml": `{{ fail "set the host" }}`}.with(nil), opts)
	wantTerminal(t, err, v1alpha1.ChartInvalidReason, "chart web: template web/templates/x.yaml:1: set the host")
}

// BenchmarkRenderingInAChild is the price of a child: compare it with BenchmarkRendering.
func BenchmarkRenderingInAChild(b *testing.B) {
	by, chart := children(b, enough), files{"templates/x.yaml": configMap}.with(nil)
	for b.Loop() {
		if _, err := apart(b, by, chart, options(nil)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRendering(b *testing.B) {
	chart := files{"templates/x.yaml": configMap}.with(nil)
	for b.Loop() {
		if _, err := render(b, chart, options(nil)); err != nil {
			b.Fatal(err)
		}
	}
}
