package source_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

const (
	chartType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	// orasType is what oras push gives to files.
	orasType = "application/vnd.oci.image.layer.v1.tar"
)

// testCA names the Secret with the authority of every server of httptest, which
// newResolver has.
var testCA = v1alpha1.LocalReference{Name: "test-ca"}

// tagged is an artifact in a registry by its tag.
func tagged(r *ocitest.Registry, repository, tag string) v1alpha1.Source {
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: r.Host() + "/" + repository, Tag: tag, CARef: testCA}}
}

// chartOf is a chart in a registry.
func chartOf(r *ocitest.Registry, repository, version string) v1alpha1.Source {
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: "oci://" + r.Host() + "/" + repository, Version: version, ReleaseName: "a", Namespace: "a", CARef: testCA,
	}}
}

func TestFilesAsOrasPushesThem(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	files := []ocitest.File{{Title: "README.md", MediaType: orasType, Content: []byte("# Calico")}}
	for i := range 40 {
		text := fmt.Sprintf("kind: A%02d", i)
		files = append(files, ocitest.File{Title: text[6:] + ".yaml", MediaType: orasType, Content: []byte(text)})
	}
	registry.Push(t, "many", ocitest.NewArtifact(files...), "v1")
	parts := resolved(t, newResolver(t), tagged(registry, "many", "v1"))
	if len(parts) != 40 || content(t, parts[39]) != "kind: A39" {
		t.Errorf("want the 40 manifests, got %d parts", len(parts))
	}
}

func TestASourceOfTheWrongKindNamesTheRightOne(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	registry.Push(t, "chart", ocitest.NewArtifact(
		ocitest.File{MediaType: "application/vnd.cncf.helm.chart.provenance.v1.prov", Content: []byte("signed")},
		ocitest.File{Title: "a-1.0.0.tgz", MediaType: chartType, Content: []byte("chart")},
	), "1.0.0")
	registry.Push(t, "files", ocitest.NewArtifact(
		ocitest.File{Title: "a.yaml", MediaType: orasType, Content: []byte("kind: A")}), "1.0.0")
	tests := map[string]struct {
		given v1alpha1.Source
		want  string
	}{
		"a chart in an oci source": {
			tagged(registry, "chart", "1.0.0"),
			"/chart:1.0.0: it is a Helm chart: use a helm source with chart: oci://" + registry.Host() + "/chart ",
		},
		"files in a helm source": {
			chartOf(registry, "files", "1.0.0"), "/files 1.0.0: the artifact has no layer of the media type " + chartType +
				", so it is no Helm chart: use an oci source",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, test.want)
		})
	}
}

// chartArchive is a chart with one template.
func chartArchive(t *testing.T) []byte {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(tarOf(t, "a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0+1\n",
		"a/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")))
	if err := errors.Join(err, zip.Close()); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// tarOf returns an archive of files, each a name and a text.
func tarOf(t *testing.T, files ...string) string {
	t.Helper()
	var packed strings.Builder
	w := tar.NewWriter(&packed)
	for file := range slices.Chunk(files, 2) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file[0], Size: int64(len(file[1])), Mode: 0o644}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(file[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

func TestPartsHaveTheArtifactThatTheirSourceStandsFor(t *testing.T) {
	t.Parallel()
	files := ocitest.NewArtifact(
		ocitest.File{Title: "a.yaml", MediaType: orasType, Content: []byte("kind: A")},
		ocitest.File{Title: "b.yaml", MediaType: orasType, Content: []byte("kind: B")})
	packed := chartArchive(t)
	chart := ocitest.NewArtifact(ocitest.File{MediaType: chartType, Content: packed})
	index := ocitest.NewIndex(files.Digest())
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	registry.Push(t, "files", files, "1.2.0", "1.3.0_1", "2.0.0")
	registry.Push(t, "files", index, "index")
	registry.Push(t, "chart", chart, "1.0.0_1")
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/index.yaml") {
			_, _ = fmt.Fprintf(w, "entries: {a: [{version: 1.0.0+1, urls: [a.tgz], digest: %s}]}", digest.FromBytes(packed).Encoded())
			return
		}
		_, _ = w.Write(packed)
	}))
	t.Cleanup(web.Close)
	repository := registry.Host() + "/files"
	constrained, pinned := tagged(registry, "files", ""), tagged(registry, "files", "")
	constrained.OCI.SemVer, pinned.OCI.Digest = "^1", v1alpha1.Digest(files.Digest())
	fromWeb := chartOf(registry, "chart", "1.0.0+1")
	fromWeb.Helm.Chart = web.URL + "/charts/a"
	tests := map[string]struct {
		given     v1alpha1.Source
		wantParts int
		want      source.Artifact
	}{
		"a tag":        {tagged(registry, "files", "1.2.0"), 2, source.Artifact{Reference: repository, Tag: "1.2.0", Digest: files.Digest()}},
		"a constraint": {constrained, 2, source.Artifact{Reference: repository, Tag: "1.3.0_1", Digest: files.Digest()}},
		"a digest":     {pinned, 2, source.Artifact{Reference: repository, Digest: files.Digest()}},
		"the tag of an index": {
			tagged(registry, "files", "index"), 2, source.Artifact{Reference: repository, Tag: "index", Digest: index.Digest()},
		},
		"a chart in a registry": {
			chartOf(registry, "chart", "1.0.0+1"), 1,
			source.Artifact{Reference: "oci://" + registry.Host() + "/chart", Tag: "1.0.0_1", Digest: chart.Digest()},
		},
		"a chart in a repository": {
			fromWeb, 1, source.Artifact{Reference: web.URL + "/charts/a", Tag: "1.0.0+1", Digest: digest.FromBytes(packed)},
		},
		"an inline ConfigMap": {v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "crs"}}, 1, source.Artifact{}},
	}
	r := newResolver(t, &corev1.ConfigMap{ObjectMeta: meta("crs"), Data: map[string]string{"a": "kind: A"}})
	restarted := newFrom(t, r.Config) // it has what the first one kept
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for when, r := range map[string]*source.Resolver{"at first": r, "after a restart": restarted} {
				parts := resolved(t, r, test.given)
				if len(parts) != test.wantParts {
					t.Errorf("%s: want %d parts, got %d", when, test.wantParts, len(parts))
				}
				for _, part := range parts {
					if diff := cmp.Diff(test.want, part.Artifact); diff != "" {
						t.Errorf("%s (-want +got):\n%s", when, diff)
					}
				}
			}
		})
	}
}

// TestALargeBlobIsNoManifest names a blob that another source has brought as an artifact.
func TestALargeBlobIsNoManifest(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	blob := make([]byte, 32<<20)
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	registry.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write(blob)
		return true
	})
	r := newResolver(t)
	d := digest.FromBytes(blob)
	if _, err := r.Store.Commit(t.Context(), d, bytes.NewReader(blob), int64(len(blob))); err != nil {
		t.Fatal(err)
	}
	src := tagged(registry, "a", "")
	src.OCI.Digest = v1alpha1.Digest(d)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
	runtime.ReadMemStats(&after)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "manifest: larger than the limit of 4194304 bytes")
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 32<<20 {
		t.Errorf("%d bytes were allocated for a manifest of at most 4 MiB", allocated)
	}
}
