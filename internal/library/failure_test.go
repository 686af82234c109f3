package library

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestErrorsSayWhatAndWhere(t *testing.T) {
	t.Parallel()
	twice := func(value string) string {
		return strings.ReplaceAll(configMap("twice"), "key: value", "key: "+value)
	}
	broken := strings.Repeat(configMap("ok"), 16) + "---\nkind: [\n" + configMap("never-read")
	tests := map[string]struct {
		given      func(*shelf) v1alpha1.Release
		wantClass  fault.Class
		wantReason string
		wantWords  []string
	}{
		"bytes that are not those of the digest": {
			given: func(s *shelf) v1alpha1.Release {
				src := s.put("https://example.com/a.yaml", "expected")
				s.put("https://example.com/a.yaml", "delivered")
				return of(src)
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.DigestMismatchReason,
			wantWords: []string{"phase phase-0", "https://example.com/a.yaml", "sha256:"},
		},
		"a source that cannot be opened": {
			given: func(s *shelf) v1alpha1.Release {
				src := s.put("https://example.com/a.yaml", "x")
				s.fail("https://example.com/a.yaml", errors.New("the server answered 404 Not Found"))
				return of(src)
			},
			wantClass: fault.ClassRetry, wantReason: v1alpha1.FetchFailedReason,
			wantWords: []string{"phase phase-0: https://example.com/a.yaml: the server answered 404"},
		},
		"a source that is denied": {
			given: func(s *shelf) v1alpha1.Release {
				src := s.put("https://example.com/a.yaml", "x")
				s.fail("https://example.com/a.yaml", fault.Stallf(v1alpha1.SourceDeniedReason, "169.254.169.254 is denied"))
				return of(src)
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			wantWords: []string{"phase-0", "169.254.169.254"},
		},
		"YAML that is broken in the 17th document": {
			given: func(s *shelf) v1alpha1.Release {
				return phased([]v1alpha1.Source{s.put("https://example.com/ok.yaml", configMap("ok"))},
					[]v1alpha1.Source{s.put("https://example.com/broken.yaml", broken)})
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.ManifestInvalidReason,
			wantWords: []string{"phase phase-1", "broken.yaml, document 17"},
		},
		"one object with two contents": {
			given: func(s *shelf) v1alpha1.Release {
				return of(s.put("https://example.com/a.yaml", twice("one")), s.put("https://example.com/b.yaml", twice("two")))
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.ObjectConflictReason,
			wantWords: []string{"ConfigMap default/twice", "a.yaml", "b.yaml"},
		},
		"a source that names no digest": {
			given: func(*shelf) v1alpha1.Release {
				return of(v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com/a.yaml"}})
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceInvalidReason,
			wantWords: []string{"phase-0", "https://example.com/a.yaml", "digest"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			r := tc.given(l.shelf)
			_, err := l.settle(t, r)
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, tc.wantWords...)
			if _, again := l.settle(t, r); again.Error() != err.Error() {
				t.Errorf("want the same text again:\n%s\n%s", err, again)
			}
		})
	}
}

func TestAReleaseLargerThanTheLimit(t *testing.T) {
	t.Parallel()
	dir, sources := t.TempDir(), newShelf()
	a, b := configMap("a"), configMap("b")
	both := of(sources.put("https://example.com/a", a), sources.put("https://example.com/b", b))
	together := len(a) + len(b)

	newLibrary(t, dir, sources, maxBytes(together)).mustOpen(t, both)

	_, err := newLibrary(t, dir, sources, maxBytes(together-1)).settle(t, both)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason,
		fmt.Sprintf("more than %d bytes together, unpacked", together-1))

	_, err = newLibrary(t, dir, sources, maxBytes(len(a)-1)).
		settle(t, of(sources.put("https://example.com/c", configMap("c"))))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "https://example.com/c")
}

func TestAReleaseOfTooManySourcesIsRefusedBeforeAnyFetch(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	half := slices.Repeat([]v1alpha1.Source{src}, maxSources/2)
	_, err := l.Open(calico, phased(half, append(half, src)))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "257 sources, the limit is 256")
	if got := l.countJobs(); got != 0 {
		t.Errorf("want no job, got %d", got)
	}
	l.mustOpen(t, phased(half, half))
}

func TestAnExpressionThatDoesNotCompileIsToldBeforeAnyFetch(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	r.Phases[0].ReadyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Name: "a"},
		Expression: "self.status.",
	}}
	_, err := l.Open(calico, r)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ExpressionInvalidReason, "phase phase-0")
	if got := l.countJobs(); got != 0 {
		t.Errorf("want no job, got %d", got)
	}
}

func TestWhatStallsIsTriedAgainAfterAWhile(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	l.shelf.put("https://example.com/a", "something else")
	r := of(src)

	_, err := l.settle(t, r)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason)
	if got := fault.AfterOf(err); got != stalledRetry {
		t.Errorf("want another try after %v, got %v", stalledRetry, got)
	}

	l.clock.Step(stalledRetry - time.Second)
	_, err = l.Open(calico, r)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason)
	if got := fault.AfterOf(err); got != time.Second {
		t.Errorf("want the time that is left, 1s, got %v", got)
	}
	if got := l.shelf.total(); got != 1 {
		t.Errorf("want no download before the time has come, got %d", got)
	}

	l.clock.Step(time.Second)
	l.shelf.put("https://example.com/a", configMap("a"))
	_, err = l.Open(calico, r)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason) // until it is known to be better
	l.hear(t)
	l.mustOpen(t, r)
	if got := l.shelf.total(); got != 2 {
		t.Errorf("want one more download, got %d", got)
	}
}

func TestFailuresAreTriedAgainWithGrowingPauses(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	l.shelf.fail("https://example.com/a", errors.New("the server answered 503"))
	_, err := l.settle(t, r)
	var got []time.Duration
	for attempt := range 11 {
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason)
		got = append(got, fault.AfterOf(err))
		l.clock.Step(fault.AfterOf(err))
		// Another failure each time: the same one would be no news.
		l.shelf.fail("https://example.com/a", fmt.Errorf("the server answered 503 for the %d. time", attempt+2))
		err = l.retry(t, r)
	}
	want := []time.Duration{
		time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
		64 * time.Second, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute, 2 * time.Minute,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	l.shelf.fail("https://example.com/a", nil)
	l.clock.Step(maxRetry)
	if err := l.retry(t, r); err != nil {
		t.Errorf("want a Bundle once the source is well, got %v", err)
	}
}

func TestARateLimitedSourceIsRetriedWhenItAsks(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ givenAfter, want time.Duration }{
		"for as long as it says":       {givenAfter: 42 * time.Second, want: 42 * time.Second},
		"for a second at least":        {givenAfter: 0, want: time.Second},
		"for longer than other pauses": {givenAfter: 10 * time.Minute, want: 10 * time.Minute},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			r := of(l.shelf.put("https://example.com/a", configMap("a")))
			l.shelf.fail("https://example.com/a",
				fault.Wait(v1alpha1.ThrottledReason, tc.givenAfter, errors.New("the server answered 429")))
			_, err := l.settle(t, r)
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.ThrottledReason, "429")
			if got := fault.AfterOf(err); got != tc.want {
				t.Errorf("want another try after %v, got %v", tc.want, got)
			}
			l.clock.Step(tc.want - 1)
			_, _ = l.Open(calico, r)
			if got := l.shelf.total(); got != 1 {
				t.Errorf("want no download before, got %d", got)
			}
			l.clock.Step(1)
			l.shelf.fail("https://example.com/a", nil)
			_, err = l.Open(calico, r)
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
			l.mustOpen(t, r)
		})
	}
}

func TestOneSourceThatFailsDoesNotKeepTheOthers(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	good, bad := l.shelf.put("https://example.com/good", configMap("a")), l.shelf.put("https://example.com/bad", "b")
	l.shelf.fail("https://example.com/bad", errors.New("broken"))
	_, err := l.settle(t, of(bad, good))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "https://example.com/bad: broken")
	l.mustOpen(t, of(good))
}

func TestFailuresThatNobodyAsksAboutAreForgotten(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	old := of(l.shelf.put("https://example.com/old", "old"))
	l.shelf.fail("https://example.com/old", errors.New("gone"))
	if _, err := l.settle(t, old); err == nil {
		t.Fatal("want an error")
	}
	l.clock.Step(firstRetry + forgetFailure)
	l.mustOpen(t, of(l.shelf.put("https://example.com/a", configMap("a"))))
	if got := l.countJobs(); got != 1 {
		t.Errorf("want the failure kept for %v, got %d jobs", forgetFailure, got)
	}
	l.clock.Step(pruneEvery)
	l.mustOpen(t, of(l.shelf.put("https://example.com/b", configMap("b"))))
	if got := l.countJobs(); got != 0 {
		t.Errorf("want no jobs left, got %d", got)
	}
}

func TestWhatStallsIsTriedAgainWhenSomebodyAsks(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	const url = "https://example.com/a"
	r := of(l.shelf.put(url, configMap("a")))
	l.shelf.fail(url, fault.Stall(v1alpha1.DigestMismatchReason, errors.New("other bytes")))
	if _, err := l.settle(t, r); fault.ClassOf(err) != fault.ClassStall {
		t.Fatalf("want it stalled, got %v", err)
	}
	l.shelf.fail(url, nil)
	l.LookAgain(types.NamespacedName{Namespace: "default", Name: "another"})
	if _, err := l.Open(calico, r); fault.ClassOf(err) != fault.ClassStall {
		t.Errorf("want nothing tried for another Bundle, got %v", err)
	}
	l.LookAgain(calico)
	_, _ = l.Open(calico, r) // begins it
	if got := l.hear(t); got != calico {
		t.Errorf("want %v told, got %v", calico, got)
	}
	l.mustOpen(t, r)
}

func TestWhoAsksAboutAFailureIsToldOfTheNextTry(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	l.shelf.fail("https://example.com/a", errors.New("gone"))
	_, err := l.settle(t, r)
	later := types.NamespacedName{Namespace: "default", Name: "a-later-one"}
	_, _ = l.Open(later, r)
	l.shelf.fail("https://example.com/a", nil)
	l.clock.Step(fault.AfterOf(err))
	_, _ = l.Open(calico, r)
	got := []types.NamespacedName{l.hear(t), l.hear(t)}
	if diff := cmp.Diff([]types.NamespacedName{later, calico}, got); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

func TestRealServersThatMisbehave(t *testing.T) {
	t.Parallel()
	content := configMaps(100)
	tests := map[string]struct {
		given      http.HandlerFunc
		wantClass  fault.Class
		wantReason string
		wantWords  []string
	}{
		"404": {
			given:     http.NotFound,
			wantClass: fault.ClassRetry, wantReason: v1alpha1.FetchFailedReason, wantWords: []string{"/a.yaml: ", "404"},
		},
		"too many requests": {
			given: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusTooManyRequests)
			},
			wantClass: fault.ClassWait, wantReason: v1alpha1.ThrottledReason, wantWords: []string{"/a.yaml: ", "429"},
		},
		"a body that is cut off": {
			given: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", fmt.Sprint(len(content)))
				_, _ = w.Write([]byte(content[:len(content)/2]))
				panic(http.ErrAbortHandler)
			},
			wantClass: fault.ClassRetry, wantReason: v1alpha1.FetchFailedReason, wantWords: []string{"/a.yaml: ", "cut off"},
		},
		"a body that ends too early and says so": {
			given:     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(content[:len(content)/2])) },
			wantClass: fault.ClassStall, wantReason: v1alpha1.DigestMismatchReason, wantWords: []string{"/a.yaml: "},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tc.given)
			t.Cleanup(server.Close)
			sources := webSources(t)
			l := newLibrary(t, t.TempDir(), sources)
			src := httpsSource(server.URL+"/a.yaml", content)
			_, err := l.settle(t, of(src))
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, append(tc.wantWords, "phase phase-0: ")...)
			if _, ok := l.store.Has(digestOf(src)); ok || l.releases.parts.indexed(l.part(src)) {
				t.Error("want nothing kept of what was not verified")
			}
		})
	}
}

func TestAFailureOfOneNamespaceDoesNotHoldUpAnother(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	l.shelf.fail("https://example.com/a", errors.New("401 Unauthorized"))
	if _, err := l.settle(t, r); err == nil {
		t.Fatal("want the error of the namespace without credentials")
	}
	l.shelf.fail("https://example.com/a", nil)
	other := types.NamespacedName{Namespace: "elsewhere", Name: "calico"}
	_, err := l.Open(other, r)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason)
	if got := l.hear(t); got != other {
		t.Errorf("want %s notified, got %s", other, got)
	}
	if _, err := l.Open(other, r); err != nil {
		t.Errorf("want it fetched for the other namespace, got %v", err)
	}
}

func TestASourceThatFailedIsFetchedAtOnceWhenItsSecretChanges(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.shelf.put("https://example.com/a", configMap("a")))
	l.shelf.fail("https://example.com/a", errors.New("401 Unauthorized"))
	if _, err := l.settle(t, r); err == nil {
		t.Fatal("want the error of the source")
	}
	l.shelf.fail("https://example.com/a", nil)

	l.Invalidate("elsewhere", func(v1alpha1.Source) bool { return true })
	l.Invalidate(calico.Namespace, func(src v1alpha1.Source) bool { return src.HTTPS == nil })
	if _, err := l.settle(t, r); err == nil {
		t.Fatal("want it left alone by what it does not depend on")
	}
	l.Invalidate(calico.Namespace, func(src v1alpha1.Source) bool { return src.HTTPS != nil })
	if err := l.retry(t, r); err != nil {
		t.Errorf("want it fetched, got %v", err)
	}
}
