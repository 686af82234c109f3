package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// packedChart returns the archive of a chart web with the files.
func packedChart(t *testing.T, files map[string]string) []byte {
	t.Helper()
	files = maps.Clone(files)
	files["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Name: "web/" + name, Typeflag: tar.TypeReg, Mode: 0o600, Size: int64(len(files[name]))}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWarningsOfAChartAreKept(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{
		"templates/x.yaml": "kind: X\nasked: {{ .Capabilities.APIVersions.Has \"example.com/v1\" }}\n",
	})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	defer web.Close()
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)),
	}}
	r := newResolver(t)
	first := resolved(t, r, src)
	if len(first[0].Warnings) != 1 || !strings.Contains(first[0].Warnings[0], "example.com/v1") {
		t.Fatalf("want a warning about what was asked for in vain, got %q", first[0].Warnings)
	}

	web.Close() // so that it cannot be rendered again
	if err := r.Store.Remove(digest.FromBytes(chart)); err != nil {
		t.Fatal(err)
	}
	again := resolved(t, newFrom(t, r.Config), src)
	if again[0].Digest != first[0].Digest || !slices.Equal(again[0].Warnings, first[0].Warnings) {
		t.Errorf("want %v, got %v", first, again)
	}
}

func TestTheNamespaceOfAChartIsAPartOfItsOwn(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{"templates/x.yaml": "kind: X\n"})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	defer web.Close()
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "123",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)),
	}}
	r := newResolver(t)
	if parts := resolved(t, r, src); len(parts) != 1 || parts[0].GivesWay {
		t.Fatalf("want the chart alone, got %+v", parts)
	}
	src.Helm.CreateNamespace = new(true)
	parts := resolved(t, r, src)
	if len(parts) != 2 || parts[0].GivesWay || !parts[1].GivesWay {
		t.Fatalf("want a Namespace that gives way behind the chart, got %+v", parts)
	}
	body, err := parts[1].Fetch(t.Context(), store.Partial{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	const want = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: \"123\"\n"
	if string(text) != want || digest.FromBytes(text) != parts[1].Digest {
		t.Errorf("want %q with its digest, got %q", want, text)
	}
}

func TestAChartIsRenderedWithTheValuesThatPatchesMake(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{
		"templates/x.yaml": "kind: X\nhost: {{ .Values.api.host }}\nsize: {{ .Values.size }}\n", "values.yaml": "api: {host: none}\nsize: 1\n",
	})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	defer web.Close()
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)), Values: &runtime.RawExtension{Raw: []byte(`{"size":2}`)},
	}}
	r := newResolver(t)
	changes := patch.Changes{{
		Name: "host", Selector: v1alpha1.PatchSelector{HelmRelease: "web"},
		Operations: []patch.Operation{{Op: "add", Path: "/api/host", Value: json.RawMessage(`"a.example.com"`)}},
	}}
	for want, given := range map[string]patch.Changes{"host: none\nsize: 2": nil, "host: a.example.com\nsize: 2": changes} {
		parts, err := r.Resolve(t.Context(), source.Query{Namespace: "default", Source: src, Changes: given})
		if err != nil {
			t.Fatal(err)
		}
		body, err := parts[0].Fetch(t.Context(), store.Partial{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("want %q, got %q and %v", want, text, err)
		}
	}
	changes[0].Operations[0].Op = "replace"
	_, err := r.Resolve(t.Context(), source.Query{Namespace: "default", Source: src, Changes: changes})
	if fault.ReasonOf(err, "") != v1alpha1.PatchFailedReason {
		t.Errorf("want PatchFailed for a path that is missing, got %v", err)
	}
}
