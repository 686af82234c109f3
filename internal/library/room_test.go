package library

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// newLimited returns a library whose cache holds one of what large returns, and not two.
func newLimited(t *testing.T) *library {
	t.Helper()
	return newLibraryWith(t, store.Options{MaxBytes: 250 << 10})
}

func newLibraryWith(t *testing.T, opts store.Options) *library {
	t.Helper()
	dir := t.TempDir()
	kept, err := store.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	return newLibrary(t, dir, newShelf(), func(cfg *Config) { cfg.Store = kept })
}

// large puts a source of 40 KiB on the shelf, which takes three blocks once indexed.
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
		"the limit of 256000 bytes (flag --cache-max-bytes) leaves no room beside what Bundles name",
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

// The cache has room for four sources. A namespace that names ten once had each of them
// downloaded again and again, and those of others evicted.
func TestANamespaceThatNamesTooMuchDisturbsNobodyElse(t *testing.T) {
	t.Parallel()
	l := newLibraryWith(t, store.Options{MaxBytes: 4 * 200 << 10, NamespacePercent: 50})
	victim := types.NamespacedName{Namespace: "victim", Name: "calico"}
	theirs := of(l.large("victim"))
	hostile := make([]v1alpha1.Release, 10)
	for i := range hostile {
		hostile[i] = of(l.large(fmt.Sprint("hostile-", i)))
	}
	refused := 0
	for range 6 {
		for i, r := range hostile {
			_, err := l.settleFor(t, types.NamespacedName{Namespace: "hostile", Name: fmt.Sprint("bundle-", i)}, r)
			if err != nil {
				refused++
				faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason,
					"the share of namespace hostile in the cache, 409600 bytes (flag --cache-namespace-max-percent)")
			}
		}
		if _, err := l.settleFor(t, victim, theirs); err != nil {
			t.Errorf("want the Bundle of another namespace delivered, got %v", err)
		}
		l.clock.Step(stalledRetry)
	}
	if refused != 6*8 {
		t.Errorf("want all but two refused each time, got %d", refused)
	}
	for url, n := range l.shelf.counts() {
		if n != 1 {
			t.Errorf("want everything downloaded once, got %s %d times", url, n)
		}
	}
}
