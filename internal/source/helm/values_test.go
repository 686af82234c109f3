//go:build !no_helm

package helm_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// documents returns the texts as documents Secret 0 and so on.
func documents(texts ...string) []helm.Document {
	var all []helm.Document
	for i, text := range texts {
		all = append(all, helm.Document{Name: "Secret " + string(rune('0'+i)), YAML: []byte(text)})
	}
	return all
}

func TestValues(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	tests := map[string]struct {
		given  []helm.Document
		inline string
		want   m
	}{
		"nothing":                    {nil, "", m{}},
		"empty texts":                {documents("", "# comment\n", "---\n", "{}"), " ", m{}},
		"an inline null":             {documents("a: b"), "null", m{"a": "b"}},
		"the later over the earlier": {documents("a: 1\nb: 1", "a: 2"), "", m{"a": 2.0, "b": 1.0}},
		"inline over all":            {documents("a: 1", "a: 2"), `{"a": 3}`, m{"a": 3.0}},
		"mappings are merged": {
			documents("a: {b: {c: 1}}", "a: {b: {d: 2}}"),
			`{"a":{"e":3}}`, m{"a": m{"b": m{"c": 1.0, "d": 2.0}, "e": 3.0}},
		},
		"lists are replaced":            {documents("a: [1, 2]", "a: [3]"), "", m{"a": []any{3.0}}},
		"a mapping replaces a text":     {documents("a: b", "a: {c: d}"), "", m{"a": m{"c": "d"}}},
		"a text replaces a mapping":     {documents("a: {c: d}", "a: b"), "", m{"a": "b"}},
		"a null stays for the defaults": {documents("a: {b: c}", "a: null"), "", m{"a": nil}},
		"several documents in a text":   {documents("a: 1\n---\nb: 2\n---\na: 3"), "", m{"a": 3.0, "b": 2.0}},
		"JSON is YAML":                  {documents(`{"a": {"b": "c"}}`), "", m{"a": m{"b": "c"}}},
		"a key twice":                   {documents("a: 1\nb: {c: 1, c: 2}\na: {d: 2}"), "", m{"a": m{"d": 2.0}, "b": m{"c": 2.0}}},
		"an anchor":                     {documents("a: &x {b: c}\nd: *x"), "", m{"a": m{"b": "c"}, "d": m{"b": "c"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := helm.Values(test.given, []byte(test.inline))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(asJSON(test.want)), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeysOfValuesThatStandTwiceAreAWarning(t *testing.T) {
	t.Parallel()
	given := documents("a: 1\nb: 1", "a: "+secret+"\na: 2\n---\nb: {c: [{d: 1, d: 2}]}")
	_, got, err := helm.Values(given, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Secret 1: keys stand more than once, the last one counts: a, b.c[0].d"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValuesThatAreNone(t *testing.T) {
	t.Parallel()
	large := "a: " + strings.Repeat("x", 3<<20)
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += strings.ReplaceAll("X: &X [*Y,*Y,*Y,*Y,*Y,*Y,*Y,*Y,*Y,*Y]\n", "X", string(c))
		bomb = strings.ReplaceAll(bomb, "Y", string(c-1))
	}
	invalid := v1alpha1.ReferenceInvalidReason
	tests := map[string]struct {
		given  []helm.Document
		inline string
		reason string
		names  []string
	}{
		"a text":   {documents("a: b", secret), "", invalid, []string{"Secret 1: ", "not a mapping"}},
		"a list":   {documents("- " + secret), "", invalid, []string{"Secret 0: ", "not a mapping"}},
		"a number": {documents("7"), "", invalid, []string{"Secret 0: ", "not a mapping"}},
		"broken YAML": {
			documents("a: b\nc: " + secret + ": d"), "", invalid, []string{"Secret 0: ", "line 2"},
		},
		"a broken one further": {
			documents("a: b\n---\nb: c\nc: " + secret + ": d"), "", invalid,
			[]string{"Secret 0: ", "line 2 of document 2"},
		},
		"a number without end":   {documents("a: .inf"), "", invalid, []string{"Secret 0: "}},
		"bytes that are no text": {documents("a: \xff"), "", invalid, []string{"Secret 0: "}},
		"aliases of aliases":     {documents(bomb), "", invalid, []string{"Secret 0: "}},
		"too much":               {documents(large), "", v1alpha1.LimitExceededReason, []string{"Secret 0: ", "3145728"}},
		"too much inline": {
			nil, `{"a": "` + large + `"}`, v1alpha1.LimitExceededReason, []string{"values: ", "3145728"},
		},
		"an inline text":         {nil, `"` + secret + `"`, v1alpha1.SourceInvalidReason, []string{"values: "}},
		"an inline list":         {nil, `[1]`, v1alpha1.SourceInvalidReason, []string{"values: "}},
		"inline that is no JSON": {nil, `{` + secret, v1alpha1.SourceInvalidReason, []string{"values: "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := helm.Values(test.given, []byte(test.inline))
			wantTerminal(t, err, test.reason, test.names...)
			if got != nil {
				t.Errorf("want no values, got %v", got)
			}
		})
	}
}

func TestValuesOverTheDefaultsOfAChart(t *testing.T) {
	t.Parallel()
	chart := files{
		"values.yaml":      "a: {b: 1, c: 2}\nd: [1, 2]\ne: f\n",
		"templates/x.yaml": "kind: X\nall: '{{ toJson .Values }}'\n",
	}.with(nil)
	given, _, err := helm.Values(documents("a: {b: null}\nd: [3]\ne: null"), []byte(`{"a":{"g":4}}`))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // what is given is not changed by a rendering
		opts := options(nil)
		opts.Values = given
		got, err := render(t, chart, opts)
		if want := `all: '{"a":{"c":2,"g":4},"d":[3]}'`; err != nil || !strings.Contains(got, want) {
			t.Errorf("want %s, got %v:\n%s", want, err, got)
		}
	}
}

const chartDigest = digest.Digest("sha256:192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71")

var identityValues = map[string]any{"b": []any{1.0, "x", nil}, "a": map[string]any{"z": true, "y": 0.5}}

func identity(t *testing.T, chart digest.Digest, change func(*helm.Options)) string {
	t.Helper()
	opts := options(identityValues)
	change(&opts)
	got, err := helm.Identity(chart, opts)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	// It names files on the disks of managers: a change makes them all render again.
	const golden = "sha256:9978977226d5999ee7764c5363e9ee1bbf7696ff04f1c1e5e62f28c7cacdb23e"
	same := map[string]func(*helm.Options){
		"as it is":                 func(*helm.Options) {},
		"another patch":            func(o *helm.Options) { o.KubeVersion = "1.36.9" },
		"applying hooks by itself": func(o *helm.Options) { o.Hooks = "" },
		"no API versions":          func(o *helm.Options) { o.APIVersions = []string{} },
	}
	for name, change := range same {
		if got := identity(t, chartDigest, change); got != golden {
			t.Errorf("%s: want %s, got %s", name, golden, got)
		}
	}
	seen := map[string]string{golden: "as it is"}
	for name, change := range map[string]func(*helm.Options){
		"another minor version": func(o *helm.Options) { o.KubeVersion = "v1.37" },
		"another name":          func(o *helm.Options) { o.ReleaseName = "webs" },
		"another namespace":     func(o *helm.Options) { o.Namespace = "hop" },
		"name and namespace":    func(o *helm.Options) { o.ReleaseName, o.Namespace = "webs", "hop" },
		"without definitions":   func(o *helm.Options) { o.IncludeCRDs = false },
		"refusing hooks":        func(o *helm.Options) { o.Hooks = v1alpha1.RefuseHooks },
		"an API version":        func(o *helm.Options) { o.APIVersions = []string{"a/v1"} },
		"API versions":          func(o *helm.Options) { o.APIVersions = []string{"a/v1", "a/v1/B"} },
		"another value":         func(o *helm.Options) { o.Values = asJSON(map[string]any{"b": []any{1.0, "x", nil}, "a": "x"}) },
		"a null": func(o *helm.Options) {
			o.Values = asJSON(map[string]any{"b": identityValues["b"], "a": identityValues["a"], "c": nil})
		},
		"no values": func(o *helm.Options) { o.Values = nil },
	} {
		got := identity(t, chartDigest, change)
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the identity of %s", name, other)
		}
		seen[got] = name
	}
	none := func(o *helm.Options) { o.Values = asJSON(map[string]any{}) }
	if identity(t, chartDigest, none) != identity(t, chartDigest, func(o *helm.Options) { o.Values = nil }) {
		t.Error("no values and empty values differ")
	}
	repeated := func(o *helm.Options) { o.APIVersions = []string{"a/v1/B", "a/v1", "a/v1/B"} }
	if seen[identity(t, chartDigest, repeated)] != "API versions" {
		t.Error("the order or the repetition of API versions counts")
	}
	if _, ok := seen[identity(t, digest.FromString("other"), func(*helm.Options) {})]; ok {
		t.Error("the chart does not count")
	}
}

func TestIdentityOfWhatCannotBeRendered(t *testing.T) {
	t.Parallel()
	opts := options(nil)
	opts.Values = []byte(`{"a": hunter2`)
	_, err := helm.Identity(chartDigest, opts)
	wantTerminal(t, err, v1alpha1.ChartInvalidReason, "values")
	opts = options(nil)
	opts.KubeVersion = "newest"
	_, err = helm.Identity(chartDigest, opts)
	wantTerminal(t, err, v1alpha1.ConstraintInvalidReason, "newest")
}
