package library

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// endless is an opener of documents that are never in memory together.
type endless struct{ documents int }

// Open returns the documents, one after the other.
func (e endless) Open(context.Context, v1alpha1.Source) (io.ReadCloser, error) {
	pieces := make([]io.Reader, e.documents)
	payload := strings.Repeat("x", 64<<10)
	for i := range pieces {
		pieces[i] = io.MultiReader(strings.NewReader(strings.TrimSuffix(
			configMap(fmt.Sprintf("cm-%d", i)), "data: {key: value}\n")),
			strings.NewReader("data: {key: "), strings.NewReader(payload), strings.NewReader("}\n"))
	}
	return io.NopCloser(io.MultiReader(pieces...)), nil
}

// BenchmarkOpen opens a bundle of 64 MiB: from its source on, after a restart, which
// indexes it again, and from disk, as what fell out of memory. The memory of the last is
// that of its index.
func BenchmarkOpen(b *testing.B) {
	sources := endless{documents: 1024}
	body, err := sources.Open(b.Context(), v1alpha1.Source{})
	if err != nil {
		b.Fatal(err)
	}
	sum, err := digest.FromReader(body)
	if err != nil {
		b.Fatal(err)
	}
	r := of(v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com/a", Digest: v1alpha1.Digest(sum)}})

	b.Run("fetch and index", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			newLibrary(b, b.TempDir(), sources).mustOpen(b, r)
		}
	})
	dir := b.TempDir()
	warm := newLibrary(b, dir, sources)
	warm.mustOpen(b, r)
	b.Run("after a restart", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			newLibrary(b, dir, sources).mustOpen(b, r)
		}
	})
	b.Run("from disk", func(b *testing.B) { benchmarkFromDisk(b, warm, r) })
}

// benchmarkFromDisk opens a release whose plan fell out of memory.
func benchmarkFromDisk(b *testing.B, l *library, r v1alpha1.Release) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		l.releases.plans.clear()
		if _, err := l.Open(calico, r); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCalico opens Calico v3.32.1, 43 objects and 3 MB in three sources: from
// its sources on, after a restart, from disk, and from memory as for every Cluster
// after the first.
func BenchmarkCalico(b *testing.B) {
	sources, r := calicoRelease(b)
	var size int64
	for _, body := range sources.bodies {
		size += int64(len(body))
	}
	dir := b.TempDir()
	warm := newLibrary(b, dir, sources)
	warm.mustOpen(b, r)
	b.Run("fetch and index", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(size)
		for b.Loop() {
			newLibrary(b, b.TempDir(), sources).mustOpen(b, r)
		}
	})
	b.Run("after a restart", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			newLibrary(b, dir, sources).mustOpen(b, r)
		}
	})
	b.Run("from disk", func(b *testing.B) { benchmarkFromDisk(b, warm, r) })
	b.Run("from memory", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := warm.Open(calico, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// calicoRelease returns the release with what its sources hold, or skips.
func calicoRelease(b *testing.B) (*shelf, v1alpha1.Release) {
	b.Helper()
	dir := filepath.Join(cmp.Or(os.Getenv("BUNDLES_DIR"), "../../../shared/bundles"), "calico", "v3.32.1")
	sources := newShelf()
	var phases [][]v1alpha1.Source
	for _, name := range []string{"operator-crds.yaml", "tigera-operator.yaml", "custom-resources.yaml"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			b.Skip("no upstream bundles: set BUNDLES_DIR to a folder that holds them: ", err)
		}
		phases = append(phases, []v1alpha1.Source{sources.put("https://example.com/"+name, string(content))})
	}
	return sources, phased(phases...)
}
