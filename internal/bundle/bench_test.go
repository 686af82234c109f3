package bundle

import (
	"context"
	"fmt"
	"io"
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

// BenchmarkOpen opens a bundle of 64 MiB: from its source on, and from disk. The
// memory of the second is that of its index.
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
	b.Run("from disk", func(b *testing.B) {
		dir := b.TempDir()
		newLibrary(b, dir, sources).mustOpen(b, r)
		b.ReportAllocs()
		for b.Loop() {
			l := newLibrary(b, dir, sources)
			if _, err := l.Open(calico, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
