//go:build !no_helm

package helm_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// warnedOf renders a chart and returns its output and its warnings.
func warnedOf(t *testing.T, chart files, opts helm.Options) (string, []string) {
	t.Helper()
	var out strings.Builder
	warnings, err := helm.Render(bytes.NewReader(packed(t, chart)), &out, opts, helm.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), warnings
}

func TestWhatTemplatesAskForInVainIsAWarning(t *testing.T) {
	t.Parallel()
	const begin = "its templates ask in vain for APIs that clusters may have (add them to apiVersions, " +
		"or deliver their CRDs in this or an earlier phase): "
	has := func(question string) string { return `{{ .Capabilities.APIVersions.Has ` + question + ` }}` }
	tests := map[string]struct {
		given string
		told  []string
		want  []string
	}{
		"a version": {has(`"example.com/v1"`), nil, []string{begin + "example.com/v1"}},
		"what a cluster may have, sorted and once": {
			has(`"example.com/v1/Widget"`) + has(`"example.com/v1"`) + has(`"example.com/v1"`), nil,
			[]string{begin + "example.com/v1, example.com/v1/Widget"},
		},
		"from a variable": {
			`{{ $v := .Capabilities.APIVersions }}{{ if $v.Has "example.com/v1beta1" }}{{ end }}`, nil,
			[]string{begin + "example.com/v1beta1"},
		},
		"from another template": {
			`{{ define "ask" }}` + has(`"example.com/v2"`) + `{{ end }}{{ include "ask" . }}`, nil,
			[]string{begin + "example.com/v2"},
		},
		"from a copy": {
			`{{ with dict "in" .Capabilities.APIVersions }}{{ .in.Has "example.com/v3" }}{{ end }}`, nil,
			[]string{begin + "example.com/v3"},
		},
		"what it is told":                      {has(`"example.com/v1"`), []string{"example.com/v1"}, nil},
		"a version of Kubernetes that is gone": {has(`"policy/v1beta1"`) + has(`"extensions/v1beta1"`), nil, nil},
		"a preview of a group of Kubernetes":   {has(`"networking.k8s.io/v1alpha1/IPAddress"`), nil, nil},
		"an older version of what is told":     {has(`"example.com/v1beta1"`), []string{"example.com/v1"}, nil},
		"an older version of a kind":           {has(`"example.com/v1beta1/Widget"`), []string{"example.com/v1/Widget"}, nil},
		"a kind of a version of which no kinds are told": {
			has(`"example.com/v1/Widget"`), []string{"example.com/v1"}, []string{begin + "example.com/v1/Widget"},
		},
		"what is not executed":  {`{{ if false }}` + has(`"example.com/v1"`) + `{{ end }}`, nil, nil},
		"what may be a secret":  {has(".Values.password"), nil, nil},
		"what is not a version": {has(`"example.com"`) + has(`""`) + has(`"a/b/c/d"`), nil, nil},
		"very much": {
			`{{ range until 200 }}{{ $.Capabilities.APIVersions.Has (printf "example.com/v%d" .) }}{{ end }}`, nil,
			[]string{begin + "example.com/v0, example.com/v1, example.com/v10, example.com/v11, example.com/v12, " +
				"example.com/v13, example.com/v14, example.com/v15, example.com/v16, example.com/v17, and 90 more"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(map[string]any{"password": secret})
			opts.APIVersions = test.told
			_, got := warnedOf(t, files{"templates/x.yaml": "# " + test.given}.with(nil), opts)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDuplicateKeysCountAsHelmReadsThem(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given, want string
		warnings    []string
	}{
		"a key twice": {
			"kind: X\na: 1\nb: {c: 0400, c: yes}\na: \"2\"\n", "a: \"2\"\nb:\n  c: true\nkind: X\n",
			[]string{"web/templates/x.yaml, document 1: keys stand more than once, the last one counts: a, b.c"},
		},
		"in a list of another document": {
			"kind: X\n---\nkind: Z\nenv:\n- a: 1\n- {name: a, name: b}\n", "kind: X\n---\n# Source: web/templates/x.yaml\n" +
				"env:\n- a: 1\n- name: b\nkind: Z\n",
			[]string{"web/templates/x.yaml, document 2: keys stand more than once, the last one counts: env[1].name"},
		},
		"three times": {
			"kind: X\na: 1\na: 2\na: 3\n", "a: 3\nkind: X\n",
			[]string{"web/templates/x.yaml, document 1: keys stand more than once, the last one counts: a"},
		},
		"a merge key is no duplicate": {
			"a: &a {x: 1}\nb: &b {y: 1}\nc: {<<: *a, <<: *b, x: 2}\n", "a: &a {x: 1}\nb: &b {y: 1}\nc: {<<: *a, <<: *b, x: 2}\n", nil,
		},
		"what has none stays as it is": {"kind: X # why\na: 0400\n", "kind: X # why\na: 0400\n", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, warnings := warnedOf(t, files{"templates/x.yaml": test.given}.with(nil), options(nil))
			if diff := cmp.Diff("---\n# Source: web/templates/x.yaml\n"+test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, warnings); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDuplicateKeysOfDefinitionsAreTakenToo(t *testing.T) {
	t.Parallel()
	chart := files{"crds/a.yaml": "kind: CustomResourceDefinition\nkind: CustomResourceDefinition\n"}.with(nil)
	got, warnings := warnedOf(t, chart, options(nil))
	if want := "---\n# Source: web/crds/a.yaml\nkind: CustomResourceDefinition\n"; got != want {
		t.Errorf("want %q, got %q", want, got)
	}
	want := []string{"web/crds/a.yaml, document 1: keys stand more than once, the last one counts: kind"}
	if diff := cmp.Diff(want, warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyDocumentsWithDuplicateKeysAreCounted(t *testing.T) {
	t.Parallel()
	_, warnings := warnedOf(t, files{"templates/x.yaml": strings.Repeat("---\nkind: X\na: 1\na: 2\n", 25)}.with(nil), options(nil))
	if len(warnings) != 21 || warnings[20] != "5 more documents have keys that stand more than once" {
		t.Errorf("want 20 documents and how many more there are, got %s", fmt.Sprint(warnings))
	}
}
