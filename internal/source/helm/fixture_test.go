//go:build !no_helm

package helm_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
)

// secret is a value that no message may repeat.
const secret = "hunter2-correct-horse"

// files are those of a chart by their paths in it.
type files map[string]string

// chartYAML is a Chart.yaml with more lines.
func chartYAML(more ...string) string {
	return strings.Join(append([]string{"apiVersion: v2", "name: web", "version: 1.2.3"}, more...), "\n") + "\n"
}

// with returns the files and others over them, and a Chart.yaml if there is none.
func (f files) with(others files) files {
	all := files{"Chart.yaml": chartYAML()}
	maps.Copy(all, f)
	maps.Copy(all, others)
	return all
}

// packed returns the files as an archive, in the order of their paths.
func packed(t testing.TB, chart files) []byte {
	t.Helper()
	var headers []tar.Header
	for _, name := range slices.Sorted(maps.Keys(chart)) {
		headers = append(headers, tar.Header{Name: "web/" + name, Typeflag: tar.TypeReg, Mode: 0o600})
	}
	return tarred(t, headers, func(name string) string { return chart[strings.TrimPrefix(name, "web/")] })
}

// tarred returns an archive with the entries.
func tarred(t testing.TB, headers []tar.Header, content func(name string) string) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, header := range headers {
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len(content(header.Name)))
		}
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(content(header.Name))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// options are those of a release web in the namespace shop.
func options(values map[string]any) helm.Options {
	return helm.Options{
		ReleaseName: "web", Namespace: "shop", Values: asJSON(values), KubeVersion: "v1.36", IncludeCRDs: true,
		Hooks: v1alpha1.ApplyHooks,
	}
}

// asJSON returns values as Values does.
func asJSON(values map[string]any) json.RawMessage {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err)
	}
	return text
}

// complete returns the limits with the defaults of those that a test leaves out.
func complete(limits helm.Limits) helm.Limits {
	defaults := helm.DefaultLimits()
	limits.ArchiveBytes = cmp.Or(limits.ArchiveBytes, defaults.ArchiveBytes)
	limits.UnpackedBytes = cmp.Or(limits.UnpackedBytes, defaults.UnpackedBytes)
	limits.Ratio = cmp.Or(limits.Ratio, defaults.Ratio)
	limits.Files = cmp.Or(limits.Files, defaults.Files)
	limits.OutputBytes = cmp.Or(limits.OutputBytes, defaults.OutputBytes)
	return limits
}

// render returns the output of a chart.
func render(t testing.TB, chart files, opts helm.Options) (string, error) {
	t.Helper()
	var out strings.Builder
	_, err := helm.Render(bytes.NewReader(packed(t, chart)), &out, opts, helm.DefaultLimits())
	return out.String(), err
}

// wantTerminal checks the class and the reason of err, and that its message is on
// one line, names what it must and repeats no value.
func wantTerminal(t testing.TB, err error, reason string, names ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("want an error, got none")
	}
	if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != reason {
		t.Errorf("want a terminal %s, got class %v, reason %s: %v",
			reason, fault.ClassOf(err), fault.ReasonOf(err, ""), err)
	}
	text := err.Error()
	for _, name := range names {
		if !strings.Contains(text, name) {
			t.Errorf("%q does not name %q", text, name)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Errorf("%q repeats a value", text)
	}
	if strings.Contains(text, "\n") || len(text) > 1024 {
		t.Errorf("want one line of at most 1024 bytes, got %q", text)
	}
}

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
data:
`

const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: widgets.example.com
spec:
  group: example.com
  names: {kind: Widget, plural: widgets}
  scope: Namespaced
  versions:
  - {name: v1, served: true, storage: true}
  - {name: v1alpha1, served: false, storage: false}
`
