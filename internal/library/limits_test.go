package library

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestAReleaseIsMeasuredUnpacked(t *testing.T) {
	t.Parallel()
	text := configMaps(100)
	var packed strings.Builder
	zip := gzip.NewWriter(&packed)
	if _, err := zip.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	sources := newShelf()
	a, b := sources.put("https://example.com/a.yaml.gz", packed.String()), sources.put("https://example.com/b", configMap("b"))
	unpacked := len(text) + len(configMap("b"))

	newLibrary(t, t.TempDir(), sources, maxBytes(unpacked)).mustOpen(t, of(a, b))

	_, err := newLibrary(t, t.TempDir(), sources, maxBytes(unpacked-1)).settle(t, of(a, b))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "bytes together, unpacked")
}

// TestASourceThatIsNamedOftenIsLoadedOnce names one source of 500 objects 20 times.
func TestASourceThatIsNamedOftenIsLoadedOnce(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMaps(500))
	once, often := allocated(t, l, of(src)), of(slices.Repeat([]v1alpha1.Source{src}, 20)...)
	if got := allocated(t, l, often); got > 5*once {
		t.Errorf("%d bytes were allocated for 20 times the same source, %d for one", got, once)
	}
	_, err := l.settle(t, of(slices.Repeat([]v1alpha1.Source{src}, 21)...))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "the release has more than 10000 objects")
}

// allocated returns how many bytes it takes to load the indices of a release.
func allocated(t *testing.T, l *library, r v1alpha1.Release) uint64 {
	t.Helper()
	l.mustOpen(t, r)
	parts, err := l.resolutions.resolve(calico, r, "")
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := l.releases.indices(calico, parts); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestTheNamesInAnIndexAreBounded(t *testing.T) {
	t.Parallel()
	pod := "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b}\nspec:\n  containers:\n"
	var text strings.Builder
	for i := range 5 {
		text.WriteString(strings.Replace(pod, "name: a", fmt.Sprintf("name: a%d", i), 1))
		for j := range 1900 {
			fmt.Fprintf(&text, "  - {name: a%d, image: %s%d-%d}\n", j, strings.Repeat("x", 1000), i, j)
		}
	}
	l := newLibrary(t, t.TempDir(), newShelf())
	_, err := l.settle(t, of(l.shelf.put("https://example.com/a", text.String())))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "document 5", "names of images and versions")
}

func TestADocumentWaitsForMemory(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	l.mustOpen(t, of(src))
	parts := l.releases.parts
	if err := parts.memory.Acquire(t.Context(), parts.settings.Load().Limits.Memory()); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(stopped)
	if err := parts.derive(ctx, l.part(src)); !errors.Is(err, stopped) {
		t.Errorf("want it to wait until it is stopped, got %v", err)
	}
	parts.memory.Release(parts.settings.Load().Limits.Memory())
	if err := parts.derive(t.Context(), l.part(src)); err != nil {
		t.Error(err)
	}
}
