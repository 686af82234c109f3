//go:build !no_helm

package helm_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// data renders one ConfigMap with a field and returns what the field became.
func data(t *testing.T, field string, opts helm.Options) string {
	t.Helper()
	out, err := render(t, files{"templates/x.yaml": configMap + "  got: " + field + "\n"}.with(nil), opts)
	if err != nil {
		t.Fatal(err)
	}
	_, got, _ := strings.Cut(out, "got: ")
	return strings.TrimSpace(got)
}

func TestOutput(t *testing.T) {
	t.Parallel()
	chart := files{
		"values.yaml":      "text: default\n",
		"crds/b.yaml":      crd,
		"crds/README.md":   "no manifest",
		"templates/a.yaml": "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: {{ .Values.text }}}\n",
		"templates/b.yaml": "# only a comment\n---\n\n---\nkind: Widget\napiVersion: example.com/v1\n" +
			"---\nkind: Namespace\napiVersion: v1\n",
		"templates/_help.tpl":   `{{ define "x" }}never alone{{ end }}`,
		"templates/NOTES.txt":   "thank you",
		"templates/X-NOTES.txt": "not: {a: manifest",
		"templates/nothing.yml": "{{ if false }}kind: Secret{{ end }}",
	}.with(nil)
	templates := "---\n# Source: web/templates/b.yaml\nkind: Namespace\napiVersion: v1\n" +
		"---\n# Source: web/templates/a.yaml\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: given}\n" +
		"---\n# Source: web/templates/b.yaml\nkind: Widget\napiVersion: example.com/v1\n"
	definitions := "---\n# Source: web/crds/b.yaml\n" + crd
	opts := options(map[string]any{"text": "given"})
	for name, test := range map[string]struct {
		include bool
		want    string
	}{
		"definitions come first, then kinds in the order of installation": {true, definitions + templates},
		"definitions are left out unless they are wanted":                 {false, templates},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := opts
			opts.IncludeCRDs = test.include
			got, err := render(t, chart, opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatTemplatesSee(t *testing.T) {
	t.Parallel()
	patch := options(nil)
	patch.KubeVersion = "1.36.7-eks-1"
	told := options(nil)
	told.APIVersions = []string{"example.com/v1/Widget", "example.com/v1"}
	tests := map[string]struct {
		field string
		opts  helm.Options
		want  string
	}{
		"the release": {
			`{{ printf "%s %s %v %v" .Release.Name .Release.Namespace .Release.IsInstall .Release.IsUpgrade }}`,
			options(nil), "web shop true false",
		},
		"the version of Kubernetes": {`{{ .Capabilities.KubeVersion.Version }}`, options(nil), "v1.36.0"},
		"no patch of it": {
			`{{ .Capabilities.KubeVersion.Version }} {{ .Capabilities.KubeVersion.Minor }}`, patch, "v1.36.0 36",
		},
		"a version of a group": {`{{ .Capabilities.APIVersions.Has "apps/v1" }}`, options(nil), "true"},
		"a kind of it": {
			`{{ .Capabilities.APIVersions.Has "networking.k8s.io/v1/Ingress" }}`, options(nil), "true",
		},
		"no group that is gone": {`{{ .Capabilities.APIVersions.Has "policy/v1beta1" }}`, options(nil), "false"},
		"a group that it is told of": {
			`{{ .Capabilities.APIVersions.Has "example.com/v1" }} {{ .Capabilities.APIVersions.Has "example.com/v1/Widget" }}`,
			told, "true true",
		},
		"API versions as a list": {
			`{{ index .Capabilities.APIVersions 0 }} {{ range $v := .Capabilities.APIVersions }}` +
				`{{ if hasPrefix "example.com/" $v }}{{ $v }} {{ end }}{{ end }}{{ has "apps/v1" .Capabilities.APIVersions }} ` +
				`{{ eq (len .Capabilities.APIVersions) (len (.Capabilities.APIVersions | toJson | fromJsonArray)) }}`,
			told, "v1 example.com/v1 example.com/v1/Widget true true",
		},
		"API versions in a variable": {
			`{{ $v := .Capabilities.APIVersions }}{{ $v.Has "example.com/v1" }} {{ $v.Has "example.com/v2" }}`, told, "true false",
		},
		"no foreign group":            {`{{ .Capabilities.APIVersions.Has "example.com/v1" }}`, options(nil), "false"},
		"an empty cluster":            {`{{ lookup "v1" "Secret" "shop" "web" | len }}`, options(nil), "0"},
		"no address of a host":        {`{{ getHostByName "localhost" | quote }}`, options(nil), `""`},
		"keys in order":               {`{{ keys (dict "c" 1 "a" 2 "b" 3) | join "" }}`, options(nil), "abc"},
		"values in the order of keys": {`{{ values (dict "c" 1 "a" 2 "b" 3) | join "" }}`, options(nil), "231"},
		"numbers from 0": {
			`{{ until 3 | join "," }} {{ until -2 | join "," }}`, options(nil), "0,1,2 0,-1",
		},
		"numbers by steps": {
			`{{ untilStep 1 8 3 | join "," }}{{ untilStep 1 8 -3 | join "," }}`, options(nil), "1,4,7",
		},
		"a sequence up": {
			`{{ seq 3 }}, {{ seq 2 4 }}, {{ seq 0 2 5 }}`, options(nil), "1 2 3, 2 3 4, 0 2 4",
		},
		"a sequence down": {
			`{{ seq -1 }}, {{ seq 2 0 }}, {{ seq 5 -2 0 }},{{ seq 5 1 0 }}{{ seq }}`,
			options(nil), "1 0 -1, 2 1 0, 5 3 1,",
		},
		"a repeated text": {`{{ repeat 3 "ab" }}`, options(nil), "ababab"},
		"a date": {
			`{{ dateInZone "2006" 0 "UTC" }} {{ htmlDateInZone 0 "UTC" }}`, options(nil), "1970 1970-01-01",
		},
		"a required value": {`{{ required "set it" .Values.a }}`, options(map[string]any{"a": "b"}), "b"},
		"a required mapping": {
			`{{ (required "set it" .Values.a).b }}`, options(map[string]any{"a": map[string]any{"b": "c"}}), "c",
		},
		"a value that is a template": {
			`{{ tpl .Values.a . }}`, options(map[string]any{"a": "{{ .Release.Name }}!"}), "web!",
		},
		"nothing where there is no one": {`{{ .Values.none | quote }}`, options(nil), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := data(t, test.field, test.opts); got != test.want {
				t.Errorf("want %q, got %q", test.want, got)
			}
		})
	}
}

func TestTemplatesSeeTheKindsOfTheChart(t *testing.T) {
	t.Parallel()
	field := `{{ .Capabilities.APIVersions.Has "example.com/v1/Widget" }} ` +
		`{{ .Capabilities.APIVersions.Has "example.com/v1alpha1" }}`
	chart := files{"crds/a.yaml": crd, "templates/x.yaml": configMap + "  got: " + field + "\n"}.with(nil)
	for name, include := range map[string]bool{"delivered here": true, "delivered by another source": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(nil)
			opts.IncludeCRDs = include
			out, err := render(t, chart, opts)
			if err != nil || !strings.Contains(out, "got: true false\n") {
				t.Errorf("want the served version only, got %v:\n%s", err, out)
			}
		})
	}
	if got := data(t, `{{ .Capabilities.APIVersions.Has "example.com/v1/Widget" }}`, options(nil)); got != "false" {
		t.Errorf("the kinds of one chart are seen in another: %s", got)
	}
}

func TestSameInputGivesSameBytes(t *testing.T) {
	t.Parallel()
	chart := files{
		"crds/a.yaml":    crd,
		"values.yaml":    "a: {z: 1, y: 2, x: 3, w: 4, v: 5}\n",
		"files/1.txt":    "one",
		"files/2.txt":    "two",
		"charts/_readme": "no chart",
		"templates/a.yaml": configMap + "  a: {{ keys .Values.a | join \"\" }}" +
			"{{ range $k, $v := .Values.a }}{{ $k }}{{ end }}\n" +
			"  b: {{ toJson .Values }}\n{{ (.Files.Glob \"files/*\").AsConfig | indent 2 }}\n",
	}.with(nil)
	for _, name := range []string{"d", "c", "b", "a", "e"} {
		chart["charts/"+name+"/Chart.yaml"] = "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\n"
		chart["charts/"+name+"/crds/x.yaml"] = "kind: CustomResourceDefinition\nmetadata: {name: " + name + "}\n"
		chart["charts/"+name+"/templates/x.yaml"] = "kind: Secret\nmetadata: {name: " + name + "}\n"
	}
	first, err := render(t, chart, options(nil))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, err := render(t, chart, options(nil)); err != nil || again != first {
			t.Fatalf("%v (-first +again):\n%s", err, cmp.Diff(first, again))
		}
	}
}

func TestFunctionsThatVaryAreRefused(t *testing.T) {
	t.Parallel()
	for function, call := range map[string]string{
		"genCA":          `{{ (genCA "web" 365).Cert }}`,
		"genSignedCert":  `{{ genSignedCert "web" nil nil 365 .Values.ca }}`,
		"genPrivateKey":  `{{ genPrivateKey "rsa" }}`,
		"randAlphaNum":   `{{ randAlphaNum 16 | b64enc }}`,
		"randInt":        `{{ randInt 0 10 }}`,
		"uuidv4":         `{{ uuidv4 }}`,
		"now":            `{{ now | date "2006" }}`,
		"htpasswd":       `{{ htpasswd "user" .Values.password }}`,
		"bcrypt":         `{{ bcrypt .Values.password }}`,
		"encryptAES":     `{{ encryptAES .Values.password "x" }}`,
		"shuffle":        `{{ shuffle "abc" }}`,
		"ago":            `{{ ago 0 }}`,
		"date":           `{{ date "2006" .Values.password }}`,
		"htmlDate":       `{{ htmlDate .Values.password }}`,
		"date_in_zone":   `{{ date_in_zone "2006" "x" "UTC" }}`,
		"htmlDateInZone": `{{ htmlDateInZone "x" "UTC" }}`,
	} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			chart := files{"templates/x.yaml": "a: b\n---\nc: " + call}.with(nil)
			_, err := render(t, chart, options(map[string]any{"password": secret}))
			wantTerminal(t, err, v1alpha1.ChartInvalidReason,
				"chart web: template web/templates/x.yaml:3", "the function "+function+" ")
			chart["templates/x.yaml"] = "{{ if .Values.on }}" + call + "{{ end }}"
			if _, err := render(t, chart, options(nil)); err != nil {
				t.Errorf("what is not called is no fault: %v", err)
			}
		})
	}
}

func TestKubeVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		constraint, given string
		reason            string
		names             []string
	}{
		"one that fits":              {">=1.34.0-0", "v1.36", "", nil},
		"one that a patch would fit": {"1.36.x", "v1.36.9", "", nil},
		"one that is too old": {
			">=1.37.0-0", "v1.36.2", v1alpha1.ChartInvalidReason, []string{"chart web", `">=1.37.0-0"`, "v1.36.0"},
		},
		"one that is too new": {"<1.25.0", "1.36", v1alpha1.ChartInvalidReason, []string{"<1.25.0", "v1.36.0"}},
		"a constraint that is none": {
			"newish", "v1.36", v1alpha1.ChartInvalidReason, []string{"kubeVersion", "newish"},
		},
		"a version that is none":       {"", "latest", v1alpha1.ConstraintInvalidReason, []string{"latest"}},
		"a version that is not given":  {"", "", v1alpha1.ConstraintInvalidReason, []string{`""`}},
		"a version without minor part": {"", "v1", v1alpha1.ConstraintInvalidReason, []string{"v1"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(nil)
			opts.KubeVersion = test.given
			_, err := render(t, files{"Chart.yaml": chartYAML("kubeVersion: '" + test.constraint + "'")}, opts)
			if test.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantTerminal(t, err, test.reason, test.names...)
		})
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	large := files{"templates/x.yaml": configMap + "  a: {{ repeat 4000 \"x\" }}\n"}.with(nil)
	tests := map[string]struct {
		chart  files
		limits helm.Limits
		names  []string
	}{
		"the archive": {large, helm.Limits{ArchiveBytes: 100}, []string{"chart archive", "limit of 100 bytes"}},
		"what it holds": {
			files{"big": strings.Repeat("x", 3000)}.with(nil), helm.Limits{UnpackedBytes: 2000},
			[]string{"limit of 2000 bytes"},
		},
		"one file": {
			files{"big": strings.Repeat("x", 5<<20+1)}.with(nil), helm.Limits{}, []string{"web/big", "5242880"},
		},
		"the compression ratio": {
			files{"big": strings.Repeat("x", 4<<20)}.with(nil), helm.Limits{},
			[]string{"chart archive", "the compression ratio is over the limit of 200"},
		},
		"the compression ratio of what is nested": {
			files{"charts/a.tgz": string(packed(t, files{"big": strings.Repeat("x", 4<<20)}.with(nil)))}.with(nil), helm.Limits{},
			[]string{"charts/a.tgz", "the compression ratio is over the limit of 200"},
		},
		"files": {
			files{"1": "", "2": "", "3": ""}.with(nil), helm.Limits{Files: 3}, []string{"limit of 3 files"},
		},
		"the output": {large, helm.Limits{OutputBytes: 4000}, []string{"chart web", "output", "limit of 4000 bytes"}},
		"what is nested": {
			files{"charts/a.tgz": string(packed(t, files{"big": strings.Repeat("x", 3000)}.with(nil)))}.with(nil),
			helm.Limits{UnpackedBytes: 2000}, []string{"web/", "limit of 2000 bytes"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			_, err := helm.Render(bytes.NewReader(packed(t, test.chart)), &out, options(nil), complete(test.limits))
			if name == "what is nested" {
				test.names[0] = "charts/a.tgz"
			}
			wantTerminal(t, err, v1alpha1.LimitExceededReason, test.names...)
			if out.Len() > 0 {
				t.Errorf("want no output, got %q", out.String())
			}
		})
	}
	t.Run("what is under them", func(t *testing.T) {
		t.Parallel()
		_, err := helm.Render(bytes.NewReader(packed(t, large)), io.Discard, options(nil),
			complete(helm.Limits{ArchiveBytes: 1000, UnpackedBytes: 1000, Files: 2, OutputBytes: 5000}))
		if err != nil {
			t.Error(err)
		}
	})
	for name, limits := range map[string]helm.Limits{
		"a negative one":      complete(helm.Limits{Files: -1}),
		"none at all":         {},
		"one over Helm's own": complete(helm.Limits{UnpackedBytes: 100<<20 + 1}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chart := bytes.NewReader(packed(t, large))
			if _, err := helm.Render(chart, io.Discard, options(nil), limits); err == nil {
				t.Error("want an error, got none")
			}
		})
	}
}

func TestErrorsOfReaderAndWriter(t *testing.T) {
	t.Parallel()
	errDisk := fault.Retry(v1alpha1.StoreFailedReason, errors.New("disk"))
	_, err := helm.Render(iotest.ErrReader(errDisk), io.Discard, options(nil), helm.DefaultLimits())
	if fault.ReasonOf(err, "") != v1alpha1.StoreFailedReason {
		t.Errorf("want that of the reader, got %v", err)
	}
	r, w := io.Pipe()
	r.CloseWithError(errDisk)
	chart := packed(t, files{"templates/x.yaml": configMap}.with(nil))
	_, err = helm.Render(bytes.NewReader(chart), w, options(nil), helm.DefaultLimits())
	if fault.ReasonOf(err, "") != v1alpha1.StoreFailedReason {
		t.Errorf("want that of the writer, got %v", err)
	}
}

// TestLoggingOperator makes a chart of a published release: its definitions in the
// crds folder, the operator as a template.
func TestLoggingOperator(t *testing.T) {
	t.Parallel()
	const dir = "../../../../shared/bundles/logging-operator/6.7.0"
	chart := files{}.with(nil)
	paths, err := filepath.Glob(dir + "/crds/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Skip("the bundles are not here")
	}
	paths = append(paths, dir+"/operator.yaml")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		folder := "templates/"
		if filepath.Base(path) != "operator.yaml" {
			folder = "crds/"
		}
		chart[folder+filepath.Base(path)] = strings.ReplaceAll(string(text), "{{", "{{ `{{` }}")
	}
	out, err := render(t, chart, options(nil))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for object, err := range manifest.Objects(strings.NewReader(out), "chart", manifest.DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		kinds[object.Ref.Kind]++
	}
	if kinds["CustomResourceDefinition"] == 0 || kinds["Deployment"] != 1 {
		t.Errorf("want definitions and one Deployment, got %v", kinds)
	}
}
