package library

import (
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// newLimited returns a library whose cache holds one of what large returns, and not two.
func newLimited(t *testing.T) *library {
	t.Helper()
	dir := t.TempDir()
	kept, err := store.Open(dir, store.Options{MaxBytes: 120 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return newLibrary(t, dir, newShelf(), func(cfg *Config) { cfg.Store = kept })
}

// large puts a source of 40 KiB on the shelf, which take as much again once indexed.
func (l *library) large(name string) v1alpha1.Source {
	body := strings.ReplaceAll(configMap(name), "value", strings.Repeat("x", 40<<10))
	return l.shelf.put("https://example.com/"+name, body)
}

// A cache that is too small for what Bundles name once downloaded one source after the
// other, each of which evicted another, for ever and without an error.
func TestWhatDoesNotFitInIsReportedInsteadOfDownloadedInACircle(t *testing.T) {
	t.Parallel()
	l := newLimited(t)
	both := []v1alpha1.Release{of(l.large("a")), of(l.large("b"))}
	var err error
	for i := range 60 {
		_, err = l.settle(t, both[i%2])
		l.clock.Step(10 * time.Second)
	}
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason,
		"the limit of 122880 bytes (flag --cache-max-bytes) leaves no room beside what Bundles name",
		"give the volume more space and raise the limit, or name less in Bundles")
	if n := l.shelf.total(); n != 2 {
		t.Errorf("want each downloaded once, and what does not fit in not again, got %d downloads", n)
	}
}

func TestWhatABundleNamesIsNotEvictedForAnother(t *testing.T) {
	t.Parallel()
	l := newLimited(t)
	first, second := of(l.large("a")), of(l.large("b"))
	l.mustOpen(t, first)

	_, err := l.settle(t, second)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "https://example.com/b", "--cache-max-bytes")
	l.mustOpen(t, first)
	if n := l.shelf.counts()["https://example.com/a"]; n != 1 {
		t.Errorf("want what is named downloaded once, got %d times", n)
	}

	l.Forget(calico)
	l.clock.Step(firstRetry)
	if err := l.retry(t, second); err != nil {
		t.Errorf("want room once the first is not named any more, got %v", err)
	}
	if _, ok := l.store.Has(digestOf(first.Phases[0].Sources[0])); ok {
		t.Error("want what nobody names to make room")
	}
}
