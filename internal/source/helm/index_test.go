//go:build !no_helm

package helm_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

const indexYAML = `apiVersion: v1
entries:
  web:
  - {version: 1.10.0, urls: [web-1.10.0.tgz], digest: 192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71}
  - version: 1.9.0
    urls: ["https://cdn.example.com/web-1.9.0.tgz?t=1"]
    digest: "sha256:192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71"
  - {version: v1.8.0, urls: ["oci://registry.example.com/charts/web:1.8.0", "https://other"]}
  - {version: 1.7.0, urls: [/root/web.tgz]}
  - {version: 1.6.0, urls: [../up/web.tgz]}
  - {version: 1.5.0}
  - {version: 1.4.0, urls: ["file:///etc/passwd"]}
  - {version: 1.3.0, urls: ["https://user:hunter2@exa mple/x"]}
  - {version: 1.2.0, urls: [web.tgz], digest: abc}
  - {version: odd, urls: [web.tgz]}
  none: []
`

const digestText = "sha256:192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71"

func TestChartURL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		repository, version string
		want, wantDigest    string
	}{
		"a relative one": {
			"https://charts.example.com/stable", "1.10.0", "https://charts.example.com/stable/web-1.10.0.tgz", digestText,
		},
		"with a slash at the end": {
			"https://charts.example.com/stable/", "1.10.0", "https://charts.example.com/stable/web-1.10.0.tgz", digestText,
		},
		"of a bare host": {
			"https://charts.example.com", "1.10.0", "https://charts.example.com/web-1.10.0.tgz", digestText,
		},
		"with a query": {
			"https://charts.example.com/a?token=x", "1.10.0", "https://charts.example.com/a/web-1.10.0.tgz?token=x", digestText,
		},
		"an absolute one": {
			"http://charts.example.com", "1.9.0", "https://cdn.example.com/web-1.9.0.tgz?t=1", digestText,
		},
		"one in a registry": {
			"https://charts.example.com", "v1.8.0", "oci://registry.example.com/charts/web:1.8.0", "",
		},
		"one without the v": {
			"https://charts.example.com", "1.8.0", "oci://registry.example.com/charts/web:1.8.0", "",
		},
		"one with a v too many": {
			"https://charts.example.com/a", "v1.7.0", "https://charts.example.com/root/web.tgz", "",
		},
		"one beside the folder": {
			"https://charts.example.com/a/b", "1.6.0", "https://charts.example.com/a/up/web.tgz", "",
		},
		"one of an odd version": {"https://charts.example.com", "odd", "https://charts.example.com/web.tgz", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repository, err := url.Parse(test.repository)
			if err != nil {
				t.Fatal(err)
			}
			got, sum, err := helm.ChartURL(strings.NewReader(indexYAML), repository, "web", test.version)
			if err != nil || got != test.want || sum.String() != test.wantDigest {
				t.Errorf("want %s %s, got %s %s %v", test.want, test.wantDigest, got, sum, err)
			}
			if repository.String() != test.repository {
				t.Errorf("the repository became %s", repository)
			}
		})
	}
}

func TestChartURLOfJSON(t *testing.T) {
	t.Parallel()
	text := `{"entries":{"web":[{"version":"1.0.0","urls":["a.tgz"]}]}}`
	got, _, err := helm.ChartURL(strings.NewReader(text), &url.URL{Scheme: "https", Host: "example.com"}, "web", "1.0.0")
	if want := "https://example.com/a.tgz"; err != nil || got != want {
		t.Errorf("want %s, got %s %v", want, got, err)
	}
}

func TestChartURLThatIsNotThere(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		index, name, version string
		names                []string
	}{
		"another chart":       {indexYAML, "wob", "1.0.0", []string{"index.yaml", `no chart "wob"`}},
		"one without version": {indexYAML, "none", "1.0.0", []string{`no chart "none"`}},
		"another version": {
			indexYAML, "web", "1.10.1", []string{`"web" has no version "1.10.1"`, "1.10.0, 1.9.0, v1.8.0, 1.7.0, 1.6.0"},
		},
		"a constraint":    {indexYAML, "web", "1.x", []string{`no version "1.x"`}},
		"no version":      {indexYAML, "web", "", []string{`no version ""`}},
		"no url":          {indexYAML, "web", "1.5.0", []string{`"web" "1.5.0"`, "no url"}},
		"a file":          {indexYAML, "web", "1.4.0", []string{`"1.4.0"`, "http, https or oci"}},
		"a broken url":    {indexYAML, "web", "1.3.0", []string{`"1.3.0"`, "invalid"}},
		"a broken digest": {indexYAML, "web", "1.2.0", []string{`"1.2.0"`, "digest"}},
		"a web page":      {"<html>hunter2</html>", "web", "1.0.0", []string{"not the index"}},
		"nothing":         {"", "web", "1.0.0", []string{`no chart "web"`}},
		"broken JSON":     {`{"entries":[]}`, "web", "1.0.0", []string{"not the index"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repository := &url.URL{Scheme: "https", Host: "example.com", User: url.UserPassword("user", "hunter2")}
			_, _, err := helm.ChartURL(strings.NewReader(test.index), repository, test.name, test.version)
			if fault.ClassOf(err) != fault.ClassRetry || fault.ReasonOf(err, "") != v1alpha1.FetchFailedReason {
				t.Fatalf("want FetchFailed, got %v", err)
			}
			for _, name := range append(test.names, "index.yaml: ") {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%q does not name %q", err, name)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q tells a password", err)
			}
		})
	}
	t.Run("too large an index", func(t *testing.T) {
		t.Parallel()
		_, _, err := helm.ChartURL(blanks(helm.MaxIndexBytes+1), &url.URL{}, "web", "1.0.0")
		wantTerminal(t, err, v1alpha1.LimitExceededReason, "index.yaml", "52428800")
	})
}

// blanks returns so many bytes of comments.
func blanks(size int64) io.Reader { return io.LimitReader(comments{}, size) }

type comments struct{}

func (comments) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "# comment\n"[i%10]
	}
	return len(p), nil
}

// TestChartURLTakesOneEntryAtATime compares what is found in forms that Helm writes, among
// many charts, with what was written.
func TestChartURLTakesOneEntryAtATime(t *testing.T) {
	t.Parallel()
	entries := map[string][]map[string]any{}
	for i := range 20 {
		for j := range 20 {
			name := fmt.Sprintf("chart-%d", i)
			entries[name] = append(entries[name], map[string]any{
				"name": name, "version": fmt.Sprintf("1.%d.0", j), "urls": []string{fmt.Sprintf("%s-1.%d.0.tgz", name, j)},
				"description": "entries:\n  chart-1:\n- version: 1.1.0\n\n# no comment: [\n", "keywords": []string{"a: b", "- c"},
				"annotations": map[string]string{"x/y": "- kind: added\n  description: 'it''s new'\n"},
			})
		}
	}
	index := map[string]any{"apiVersion": "v1", "generated": "2026-01-01", "entries": entries, "serverInfo": map[string]any{"a": 1}}
	asYAML, err := yaml.Marshal(index)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.MarshalIndent(index, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	for form, text := range map[string]string{
		"YAML": string(asYAML), "YAML of Windows": strings.ReplaceAll(string(asYAML), "\n", "\r\n"), "JSON": "\n" + string(asJSON),
		"YAML with quotes": "---\n# an index\n" + strings.ReplaceAll(string(asYAML), "\n  chart-7:\n", "\n  \"chart-7\": # the one\n"),
	} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"chart-0", "chart-7", "chart-19"} {
				got, _, err := helm.ChartURL(iotest.HalfReader(strings.NewReader(text)), &url.URL{Scheme: "https", Host: "example.com"}, name, "1.13.0")
				if want := "https://example.com/" + name + "-1.13.0.tgz"; err != nil || got != want {
					t.Errorf("want %s, got %s %v", want, got, err)
				}
			}
		})
	}
}

// TestALargeIndexTakesLittleMemory reads one of 20 MB, and one whose entries are many times
// larger as values than as text.
func TestALargeIndexTakesLittleMemory(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	many := func(entry string) string { return strings.Repeat(entry, 4<<20/len(entry)) }
	last := "  web:\n  - version: 1.0.0\n    urls: [a.tgz]\n"
	tests := map[string]struct {
		given      string
		wantReason string
	}{
		"other charts in YAML": {"entries:\n" + many("  a:\n  - {version: 1.0.0, urls: [{}, {}, {}, {}]}\n") + last, ""},
		"other charts in JSON": {
			`{"entries":{"a":[` + many(`{},`) + `{}],"web":[{"version":"1.0.0","urls":["a.tgz"]}]}}`, ""},
		"empty entries":          {"entries:\n  web:\n  - {" + many("a: {},") + "}\n", v1alpha1.LimitExceededReason},
		"empty entries in JSON":  {`{"entries":{"web":[{"urls":[` + many(`"",`) + `""]}]}}`, v1alpha1.LimitExceededReason},
		"one line":               {"entries: {a: [" + many("{},") + "]}", v1alpha1.LimitExceededReason},
		"many keys in one entry": {"entries:\n  web:\n  - {" + strings.Repeat("a,", 60_000) + "}\n", v1alpha1.LimitExceededReason},
		"a long token":           {`{"entries":"` + many("x") + `"}`, v1alpha1.LimitExceededReason},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := helm.ChartURL(strings.NewReader(test.given), &url.URL{Scheme: "https", Host: "example.com"}, "web", "1.0.0")
			runtime.ReadMemStats(&after)
			if got := fault.ReasonOf(err, ""); got != test.wantReason {
				t.Errorf("want %q, got %v", test.wantReason, err)
			}
			if peak := int64(after.HeapSys) - int64(before.HeapSys); peak > 32<<20 {
				t.Errorf("the heap grew by %d bytes for a text of %d", peak, len(test.given))
			}
		})
	}
}

// FuzzChartURL reads anything as an index: it must not panic, and gives each refusal a
// reason.
func FuzzChartURL(f *testing.F) {
	f.Add([]byte(indexYAML), "web", "1.9.0")
	f.Add([]byte(`{"entries":{"web":[{"version":"1.0.0","urls":["a.tgz"]}]}}`), "web", "1.0.0")
	f.Add([]byte("entries: {web: [{version: 1.0.0, urls: [a]}]}"), "web", "v1.0.0")
	f.Add([]byte("---\nentries:\n  \"web\":\n\n    # x\n    - version: 1.0.0\n      urls:\n      - a\ngenerated: x\n"), "web", "2.0.0")
	f.Fuzz(func(t *testing.T, content []byte, name, version string) {
		repository := &url.URL{Scheme: "https", Host: "example.com"}
		found, sum, err := helm.ChartURL(bytes.NewReader(content), repository, name, version)
		reason := fault.ReasonOf(err, "")
		if err != nil && reason != v1alpha1.FetchFailedReason && reason != v1alpha1.LimitExceededReason || len(fmt.Sprint(err)) > 2048 {
			t.Errorf("want a reason and a short message, got %v", err)
		}
		if _, parsed := url.Parse(found); err == nil && (parsed != nil || sum != "" && sum.Validate() != nil) {
			t.Errorf("%q and %q cannot be used", found, sum)
		}
	})
}
