package patch

import (
	"strings"
	"testing"

	"github.com/Masterminds/sprig/v3"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

func TestTemplatesGiveWhatTheyGiveInAClusterClass(t *testing.T) {
	t.Parallel()
	variables := variablesOf(t, oslo())
	for given, want := range map[string]string{
		`{{ .builtin.cluster.name }}-{{ .mtu }}`:                                                              "oslo-9000",
		`{{ index .builtin.cluster.network.pods 0 | quote }}`:                                                 `"10.1.0.0/16"`,
		`{{ range .builtin.cluster.network.pods }}- cidr: {{ . }}{{ "\n" }}{{ end }}`:                         "- cidr: 10.1.0.0/16\n- cidr: fd00::/48\n",
		`{{ (index .endpoints 1).port }}`:                                                                     "2000000",
		`{{ if .unknown }}a{{ else }}b{{ end }}`:                                                              "b",
		`{{ semverCompare ">=1.36.0" .builtin.cluster.topology.version }}`:                                    "true",
		`{{ join "," .builtin.cluster.network.pods }}`:                                                        "10.1.0.0/16,fd00::/48",
		`{{ .unknown | default "x" | upper }}`:                                                                "X",
		`{{ printf "%s:%d" .controlPlaneEndpoint.host .controlPlaneEndpoint.port }}`:                          "api.example.com:6443",
		`{{ $n := 0 }}{{ range $i, $c := .builtin.cluster.network.pods }}{{ $n = add1 $i }}{{ end }}{{ $n }}`: "2",
		`{{ dict "a" (list 1 2) | toJson }}`:                                                                  `{"a":[1,2]}`,
		`{{ indent 2 "a\nb" }}`:                                                                               "  a\n  b",
		`{{ with .builtin }}{{ .cluster.namespace }}{{ end }}`:                                                "fleet",
	} {
		got, err := newMeter().execute(given, variables)
		if got != want || err != nil {
			t.Errorf("%s: want %q, got %q and %v", given, want, got, err)
		}
	}
}

func TestTemplatesAreBounded(t *testing.T) {
	t.Parallel()
	variables := variablesOf(t, oslo(func(c *clusterv1.Cluster) {
		c.Annotations["large"] = strings.Repeat("x", 200_000)
	}))
	many := strings.Repeat(`{{ $x = print $x $x }}`, 60)
	for name, given := range map[string]string{
		"a loop over a number":       `{{ range 1000000000 }}{{ end }}`,
		"loops in loops":             strings.Repeat(`{{ range 100 }}`, 9) + strings.Repeat(`{{ end }}`, 9),
		"an else in a loop":          `{{ range 10 }}{{ with .x }}{{ else }}{{ range 100000000 }}{{ end }}{{ end }}{{ end }}`,
		"text that doubles":          `{{ $x := "0123456789" }}` + many,
		"a list that doubles":        `{{ $x := list 1 2 }}` + strings.ReplaceAll(many, "print", "list"),
		"output":                     `{{ range 9000 }}0123456789{{ end }}`,
		"repeat":                     `{{ repeat 1000000000 "x" }}`,
		"a negative repeat":          `{{ repeat -1 "x" }}`,
		"replace":                    `{{ $x := repeat 10000 "a" }}{{ replace "a" $x $x }}`,
		"indent":                     `{{ indent 1000000000 "x" }}`,
		"printf with a width":        `{{ printf "%1000000d" 1 }}`,
		"printf with a precision":    `{{ printf "%.1000000f" 1.0 }}`,
		"printf with a width to set": `{{ printf "%*d" 1000000 1 }}`,
		"join":                       `{{ join (repeat 10000 "x") (list 1 2 3) }}`,
		"all variables":              `{{ print . . . . . }}`,
		"define":                     `{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}`,
		"block":                      `{{ if true }}{{ block "a" . }}{{ end }}{{ end }}`,
		"the environment":            `{{ env "PATH" }}`,
		"the network":                `{{ getHostByName "example.com" }}`,
		"the time":                   `{{ now }}`,
		"keys":                       `{{ genCA "a" 1 }}`,
		"random values":              `{{ randAlphaNum 4 }}`,
		"a change of a mapping":      `{{ set . "a" 1 }}`,
	} {
		if got, err := newMeter().execute(given, variables); err == nil {
			t.Errorf("%s: want an error, got %d bytes", name, len(got))
		}
	}
	meter := newMeter()
	var failed error
	for range maxSteps/100 + 1 {
		if _, failed = meter.execute(`{{ range 100 }}{{ end }}`, variables); failed != nil {
			break
		}
	}
	if failed == nil {
		t.Error("want the turns of all templates counted together")
	}
}

func TestEveryFunctionExists(t *testing.T) {
	t.Parallel()
	known := sprig.HermeticTxtFuncMap()
	for _, name := range fromSprig {
		if known[name] == nil {
			t.Errorf("sprig has no %s", name)
		}
	}
}
