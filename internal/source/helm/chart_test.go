//go:build !no_helm

package helm_test

import (
	"archive/tar"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

func TestBrokenArchives(t *testing.T) {
	t.Parallel()
	good := packed(t, files{"templates/x.yaml": configMap}.with(nil))
	entry := func(header tar.Header) []byte {
		headers := []tar.Header{{Name: "web/Chart.yaml", Typeflag: tar.TypeReg}, header}
		return tarred(t, headers, func(string) string { return chartYAML() })
	}
	regular := func(name string) []byte { return entry(tar.Header{Name: name, Typeflag: tar.TypeReg}) }
	tests := map[string]struct {
		given []byte
		names []string
	}{
		"nothing":                  {nil, []string{"chart archive", "gzip"}},
		"YAML":                     {[]byte(chartYAML()), []string{"chart archive", "gzip"}},
		"one that is cut off":      {good[:len(good)/2], []string{"chart archive", "unexpected EOF"}},
		"one without files":        {tarred(t, nil, nil), []string{"chart archive", "no files"}},
		"one without a Chart.yaml": {packed(t, files{"values.yaml": "a: b"}), []string{"chart archive", "Chart.yaml"}},
		"a path that leads out":    {regular("../../x"), []string{`"../../x"`, "out of the archive"}},
		"one that hides it":        {regular(`web\templates\..\..\..\x`), []string{"out of the archive"}},
		"an absolute path":         {regular("/x/y"), []string{`"/x/y"`, "out of the archive"}},
		"a name of two lines":      {regular("web/a\nb"), []string{`"web/a b"`, "no name of a file"}},
		"a very long name":         {regular("web/" + strings.Repeat("x", 2000)), []string{"no name of a file"}},
		"a symbolic link": {
			entry(tar.Header{Name: "web/a", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}),
			[]string{`"web/a"`, "link"},
		},
		"a hard link": {
			entry(tar.Header{Name: "web/a", Linkname: "x", Typeflag: tar.TypeLink}), []string{`"web/a"`, "link"},
		},
		"a device": {
			entry(tar.Header{Name: "web/a", Typeflag: tar.TypeChar}), []string{`"web/a"`, "device"},
		},
		"a dependency that is none": {
			packed(t, files{"charts/a.tgz": "text"}.with(nil)), []string{"charts/a.tgz", "gzip"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := helm.Render(bytes.NewReader(test.given), io.Discard, options(nil), helm.DefaultLimits())
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, test.names...)
		})
	}
}

func TestDeepDependenciesAreRefused(t *testing.T) {
	t.Parallel()
	chart := files{}.with(nil)
	for range 10 {
		chart = files{"charts/a.tgz": string(packed(t, chart))}.with(nil)
	}
	_, err := render(t, chart, options(nil))
	if err == nil || len(err.Error()) > 1024 {
		t.Fatalf("want a short error, got %v", err)
	}
	wantTerminal(t, err, v1alpha1.LimitExceededReason, "deep")
}

func TestChartYAML(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		chart string
		names []string
	}{
		"no YAML":            {"a: b: c", []string{"Chart.yaml"}},
		"no name":            {"apiVersion: v2\nversion: 1.0.0\n", []string{"name"}},
		"no version":         {"apiVersion: v2\nname: web\n", []string{"version"}},
		"a library":          {chartYAML("type: library"), []string{"chart web", "library"}},
		"an unknown version": {strings.Replace(chartYAML(), "v2", "v3", 1), []string{"chart web", `"v3"`}},
		"a missing dependency": {
			chartYAML("dependencies: [{name: db, version: 1.x.x}, {name: cache, version: 1.x.x}]"),
			[]string{"chart web", "cache, db"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, files{"Chart.yaml": test.chart}, options(nil))
			wantTerminal(t, err, v1alpha1.ChartInvalidReason, test.names...)
		})
	}
	for name, more := range map[string]string{
		"a deprecated one": "deprecated: true",
		"an application":   "type: application",
	} {
		t.Run(name+" is rendered", func(t *testing.T) {
			t.Parallel()
			if _, err := render(t, files{"Chart.yaml": chartYAML(more)}, options(nil)); err != nil {
				t.Error(err)
			}
		})
	}
}

// umbrella is a chart with a dependency in an archive, which has a condition, tags
// and an alias, and one in a folder that Chart.yaml does not name.
func umbrella(t *testing.T) files {
	t.Helper()
	db := files{
		"Chart.yaml":       "apiVersion: v2\nname: db\nversion: 1.0.0\n",
		"values.yaml":      "size: 1\n",
		"crds/db.yaml":     crd,
		"templates/x.yaml": "kind: Secret\nsize: {{ .Values.size }}\nzone: {{ .Values.global.zone }}\n",
	}
	return files{
		"Chart.yaml": chartYAML("dependencies:",
			"- {name: db, version: 1.x.x, condition: db.enabled, tags: [storage]}",
			"- {name: db, version: 1.x.x, alias: archive, condition: archive.enabled}"),
		"values.yaml":                "archive: {enabled: false}\nglobal: {zone: a}\n",
		"charts/db-1.0.0.tgz":        string(packed(t, db)),
		"charts/loose/Chart.yaml":    "apiVersion: v1\nname: loose\nversion: 1.0.0\n",
		"charts/loose/templates/x":   "kind: Service\n",
		"charts/loose/NOTES.txt":     "no template",
		"charts/_ignored/Chart.yaml": "none",
	}
}

func TestDependencies(t *testing.T) {
	t.Parallel()
	loose := "---\n# Source: web/charts/loose/templates/x\nkind: Service\n"
	own := func(name, size, zone string) string {
		return "---\n# Source: web/charts/" + name + "/templates/x.yaml\n" +
			"kind: Secret\nsize: " + size + "\nzone: " + zone + "\n"
	}
	tests := map[string]struct {
		given map[string]any
		want  string
	}{
		"on by default":        {nil, own("db", "1", "a") + loose},
		"off by its condition": {map[string]any{"db": map[string]any{"enabled": false}}, loose},
		"off by its tag":       {map[string]any{"tags": map[string]any{"storage": false}}, loose},
		"twice by an alias": {
			map[string]any{"archive": map[string]any{"enabled": true, "size": 9}},
			own("archive", "9", "a") + own("db", "1", "a") + loose,
		},
		"with values":              {map[string]any{"db": map[string]any{"size": 5}}, own("db", "5", "a") + loose},
		"with globals":             {map[string]any{"global": map[string]any{"zone": "b"}}, own("db", "1", "b") + loose},
		"without a default's null": {map[string]any{"db": map[string]any{"size": nil}}, own("db", "", "a") + loose},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(test.given)
			opts.IncludeCRDs = false
			got, err := render(t, umbrella(t), opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("with their definitions", func(t *testing.T) {
		t.Parallel()
		got, err := render(t, umbrella(t), options(nil))
		if err != nil || !strings.HasPrefix(got, "---\n# Source: web/charts/db/crds/db.yaml\n"+crd) {
			t.Errorf("want the definition first, got %v:\n%s", err, got)
		}
	})
}
