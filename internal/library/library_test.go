package library

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	relapi "github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

func TestALibraryNeedsEveryFieldOfItsConfig(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Config){
		"a store":                      func(cfg *Config) { cfg.Store = nil },
		"a resolver":                   func(cfg *Config) { cfg.Sources = nil },
		"a clock":                      func(cfg *Config) { cfg.Clock = nil },
		"an interval":                  func(cfg *Config) { cfg.Interval = 0 },
		"a bound of the bytes":         maxBytes(0),
		"bounds of objects":            func(cfg *Config) { cfg.Limits.Objects = 0 },
		"bounds of archives":           func(cfg *Config) { cfg.Archives.Window = 0 },
		"bounds that are not negative": maxBytes(-1),
		"something done at once":       func(cfg *Config) { cfg.Concurrency.Indexing.Each = 0 },
	}
	for name, without := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var cfg Config
			newLibrary(t, t.TempDir(), newShelf(), func(complete *Config) { cfg = *complete })
			without(&cfg)
			if _, err := New(t.Context(), cfg); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestOpenStartsTheFetchAndTellsWhenTheBundleIsThere(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	crds := l.shelf.put("https://example.com/crds.yaml", configMap("a"))
	operator := l.shelf.put("https://example.com/operator.yaml", configMap("b"))
	r := phased([]v1alpha1.Source{crds}, []v1alpha1.Source{operator})
	r.Phases[1].ReadyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: "b"},
		Expression: "self.data.key == 'value'",
	}}

	_, err := l.Open(calico, r)

	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason,
		"phase phase-0: https://example.com/crds.yaml", "phase phase-1: https://example.com/operator.yaml")
	if !errors.Is(err, ErrFetching) {
		t.Errorf("want %v, got %v", ErrFetching, err)
	}
	if got := l.hear(t); got != calico {
		t.Errorf("told %v, want %v", got, calico)
	}
	got := l.mustOpen(t, r)
	wantDigest := relapi.Digest([]relapi.Phase{
		{Name: "phase-0", Sources: []relapi.Source{{Identity: string(digestOf(r.Phases[0].Sources[0]))}}},
		{Name: "phase-1", Sources: []relapi.Source{{Identity: string(digestOf(r.Phases[1].Sources[0]))}}},
	}, "")
	if got.Digest != wantDigest {
		t.Errorf("digest: want %s, got %s", wantDigest, got.Digest)
	}
	if want := int64(len(configMap("a")) + len(configMap("b"))); got.Bytes != want {
		t.Errorf("bytes: want %d, got %d", want, got.Bytes)
	}
	if len(got.ReadyWhen) != 2 || len(got.ReadyWhen[0]) != 0 || len(got.ReadyWhen[1]) != 1 {
		t.Errorf("readyWhen: want one expression in the second phase, got %v", got.ReadyWhen)
	}
	var want []string
	for _, name := range []string{"a", "b"} {
		want = append(want, `{"apiVersion":"v1","kind":"ConfigMap",`+
			`"metadata":{"labels":{},"annotations":{},"name":"`+name+`","namespace":"default"},"data":{"key":"value"}}`)
	}
	if diff := cmp.Diff(want, contents(t, got)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// contents reads every object of a bundle in the order of the plan.
func contents(t testing.TB, b *Bundle) []string {
	t.Helper()
	var all []string
	for _, phase := range b.Plan.Phases {
		for _, step := range phase.Steps {
			for _, object := range step.Objects {
				body, err := b.JSON(object)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, string(body))
			}
		}
	}
	return all
}

func TestAllSourcesAreFetchedSideBySide(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	var open sync.WaitGroup
	open.Add(downloadsEach)
	l.shelf.before = func(ctx context.Context, _ string) error {
		open.Done()
		all := make(chan struct{})
		go func() { open.Wait(); close(all) }()
		select {
		case <-all:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	var phases [][]v1alpha1.Source
	for i := range downloadsEach {
		name := fmt.Sprintf("s%d", i)
		phases = append(phases, []v1alpha1.Source{l.shelf.put("https://example.com/"+name, configMap(name))})
	}

	// None goes on before all are open: one after the other would wait for ever.
	got := l.mustOpen(t, phased(phases...))

	if got.Plan.Objects() != downloadsEach {
		t.Errorf("want %d objects, got %d", downloadsEach, got.Plan.Objects())
	}
}

func TestNoMoreThanTheBoundAreFetchedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	var mu sync.Mutex
	now, most := 0, 0
	full := make(chan struct{})
	fill := sync.OnceFunc(func() { close(full) })
	l.shelf.before = func(context.Context, string) error {
		mu.Lock()
		now++
		most = max(most, now)
		if now == downloadsEach {
			fill()
		}
		mu.Unlock()
		<-full
		mu.Lock()
		defer mu.Unlock()
		now--
		return nil
	}
	var sources []v1alpha1.Source
	for i := range 2*downloadsEach - 1 {
		name := fmt.Sprintf("s%d", i)
		sources = append(sources, l.shelf.put("https://example.com/"+name, configMap(name)))
	}
	l.mustOpen(t, of(sources...))
	if most != downloadsEach {
		t.Errorf("want at most %d fetches at once, got %d", downloadsEach, most)
	}
}

func TestOneDownloadForADigestAndAPlace(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	archive := l.shelf.put("https://example.com/a.tar", tarOf(t, "a.yaml", configMap("a")))
	other := archive
	other.HTTPS = archive.HTTPS.DeepCopy()
	other.HTTPS.Files = []string{"a.yaml"}
	sources := []v1alpha1.Source{archive, other}
	var asked sync.WaitGroup
	for i := range 20 {
		asked.Go(func() {
			r := of(sources[i%len(sources)])
			r.Version = fmt.Sprintf("1.0.%d", i)
			_, err := l.Open(types.NamespacedName{Namespace: fmt.Sprintf("team-%d", i), Name: "calico"}, r)
			if err != nil && fault.ReasonOf(err, "") != v1alpha1.FetchingReason {
				t.Errorf("owner %d: %v", i, err)
			}
		})
	}
	asked.Wait()
	for _, src := range sources {
		l.mustOpen(t, of(src))
	}
	if got := l.shelf.total(); got != 1 {
		t.Errorf("want one download, got %v", l.shelf.counts())
	}
}

func TestAMirrorIsUsedWhenTheFirstPlaceFails(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	bad := l.shelf.put("https://bad.example.com/a", configMap("a"))
	l.shelf.fail("https://bad.example.com/a", errors.New("gone"))
	good := l.shelf.put("https://good.example.com/a", configMap("a"))
	if _, err := l.settle(t, of(bad)); err == nil {
		t.Fatal("want an error of the place that fails")
	}
	l.mustOpen(t, of(good))
	// The bytes are there now, whoever brought them.
	l.mustOpen(t, of(bad))
}

func TestEveryoneWhoAskedIsTold(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	proceed := make(chan struct{})
	l.shelf.before = func(context.Context, string) error { <-proceed; return nil }
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	for _, name := range []string{"b", "c", "a", "b"} {
		_, err := l.Open(types.NamespacedName{Namespace: "ns", Name: name}, r)
		faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
	}
	close(proceed)
	var got []string
	for range 3 {
		got = append(got, l.hear(t).String())
	}
	if diff := cmp.Diff([]string{"ns/a", "ns/b", "ns/c"}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestWhatIsOnDiskIsNotFetchedAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newLibrary(t, dir, newShelf())
	r := of(first.shelf.put("https://example.com/a", configMaps(3)))
	want := contents(t, first.mustOpen(t, r))

	second := newLibrary(t, dir, newShelf())
	got := second.mustOpen(t, r)
	if diff := cmp.Diff(want, contents(t, got)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if n := second.shelf.total(); n != 0 {
		t.Errorf("want no download, got %d", n)
	}
}

func TestAPlanIsSharedWhileItIsKept(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	first := l.mustOpen(t, r)
	if second := l.mustOpen(t, r); second.Plan != first.Plan {
		t.Error("want the same plan for the same content")
	}
}

// What passes remember of workload clusters is of one plan.
func TestAPlanThatSomebodyHasIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	first := l.mustOpen(t, r)
	others := of(r.Phases[0].Sources...)
	for i := range maxPlans + 10 {
		others.Phases[0].Name = fmt.Sprintf("phase-%d", i)
		l.mustOpen(t, others)
	}
	runtime.GC()
	if again := l.mustOpen(t, r); again.Plan != first.Plan {
		t.Error("want the plan that is in use, however many others were opened meanwhile")
	}
	runtime.KeepAlive(first)
}

func TestThePlansThatNobodyHasGo(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	for i := range 3 * maxPlans {
		r.Phases[0].Name = fmt.Sprintf("phase-%d", i)
		l.mustOpen(t, r)
	}
	runtime.GC()
	r.Phases[0].Name = "last"
	l.mustOpen(t, r)
	if got := len(l.releases.plans.made); got > 2*maxPlans {
		t.Errorf("want no more than the %d plans that were used last, got %d", maxPlans, got)
	}
}

func TestThePlannedBundlesInMemoryAreBounded(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	for i := range maxPlans + 10 {
		r.Phases[0].Name = fmt.Sprintf("phase-%d", i)
		l.mustOpen(t, r)
	}
	if got := l.releases.plans.last.Len(); got != maxPlans {
		t.Errorf("want %d bundles in memory, got %d", maxPlans, got)
	}
	r.Phases[0].Name = "phase-0"
	l.mustOpen(t, r)
	if got := l.shelf.total(); got != 1 {
		t.Errorf("want a bundle that fell out to come from disk, got %d downloads", got)
	}
}

func TestJobsEndSilentlyWithTheContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := newLibrary(t, dir, newShelf())
		l.shelf.before = func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return ctx.Err()
		}
		r := of(l.shelf.put("https://example.com/a", configMap("a")))
		_, err := l.Open(calico, r)
		faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
		synctest.Wait()
		if got := l.shelf.total(); got != 1 {
			t.Fatalf("want the fetch to have begun, got %d", got)
		}
		l.cancel()
		synctest.Wait()
		if n := len(l.news); n != 0 {
			t.Errorf("want no notification after the end, got %d", n)
		}
	})
}

func TestSourcesOfAllKindsAreOpened(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(configMap("web")))
	}))
	t.Cleanup(server.Close)
	sources := webSources(t)
	l := newLibrary(t, t.TempDir(), sources)
	got := l.mustOpen(t, of(
		httpsSource(server.URL+"/web.yaml", configMap("web")),
		v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: configMap("inline")}},
	))
	if n := got.Plan.Objects(); n != 2 {
		t.Errorf("want 2 objects, got %d", n)
	}
}

func TestABundleThatIsHeldIsNotEvicted(t *testing.T) {
	t.Parallel()
	l := newLimited(t)
	first, second := of(l.large("a")), of(l.large("b"))
	release := l.mustOpen(t, first).Hold()
	l.Forget(calico)
	_, err := l.settle(t, second)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.StoreFailedReason, "https://example.com/b", "--cache-max-bytes")

	release()
	l.clock.Step(firstRetry)
	if err := l.retry(t, second); err != nil {
		t.Errorf("want room for the second, got %v", err)
	}
}
