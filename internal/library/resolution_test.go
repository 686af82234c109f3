package library

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// count returns how often tags were resolved.
func (t *tags) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked
}

func TestAMovingSourceIsResolvedOnceInAnInterval(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.tags.set("stable", l.shelf.put("https://example.com/a", configMap("a")), nil))
	_, err := l.Digest(calico, r, "")
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason, "registry.example.com/calico:stable is being fetched")
	opened := l.mustOpen(t, r)
	digest, err := l.Digest(calico, r, "")
	if err != nil || digest != opened.Digest {
		t.Errorf("want the digest of what is opened, got %q, %v", digest, err)
	}
	for range 3 {
		l.mustOpen(t, r)
	}
	if got := l.tags.count(); got != 1 {
		t.Errorf("want it resolved once, got %d times", got)
	}
}

func TestWhatWasResolvedUnderAnotherTrustIsResolvedAnew(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	r := of(l.tags.set("stable", src, nil))
	l.mustOpen(t, r)

	l.tags.set("stable", src, fault.Stall(v1alpha1.SignatureInvalidReason, errors.New("signed by nobody who is trusted")))
	l.tags.trustIn("the operator's new file")
	_, err := l.Open(calico, r)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason, "registry.example.com/calico:stable is being fetched")
	l.hear(t)
	if _, err := l.Open(calico, r); fault.ReasonOf(err, "") != v1alpha1.SignatureInvalidReason {
		t.Errorf("want what was resolved before not to be opened, got %v", err)
	}
}

func TestAMovingSourceThatMovedIsNewsAndOneThatDidNotIsNot(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	first := l.shelf.put("https://example.com/a", configMap("a"))
	r := of(l.tags.set("stable", first, nil))
	before := l.mustOpen(t, r)

	l.clock.Step(time.Minute)
	l.resolveAgain(t, r)
	select {
	case name := <-l.news:
		t.Errorf("want no news of what did not change, got %v", name)
	default:
	}

	l.tags.set("stable", l.shelf.put("https://example.com/b", configMap("b")), nil)
	l.clock.Step(time.Minute)
	if _, err := l.Open(calico, r); err != nil {
		t.Errorf("want what it stood for before until it is resolved, got %v", err)
	}
	l.hear(t)
	if after := l.mustOpen(t, r); after.Digest == before.Digest {
		t.Error("want another digest for other content")
	}
}

func TestATagThatMovesToTheSameContentIsNews(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	text := configMap("a")
	r := of(l.tags.set("stable", l.shelf.put("https://example.com/a", text), nil))
	r.Phases[0].Sources = append(r.Phases[0].Sources, r.Phases[0].Sources[0])
	before := l.mustOpen(t, r)
	artifact := v1alpha1.ArtifactStatus{
		Phase: r.Phases[0].Name, Reference: "registry.example.com/calico", Tag: "stable",
		Digest: v1alpha1.Digest(digest.FromString("https://example.com/a")),
	}
	if diff := cmp.Diff([]v1alpha1.ArtifactStatus{artifact}, before.Artifacts); diff != "" {
		t.Errorf("the artifact of both sources (-want +got):\n%s", diff)
	}
	l.tags.set("stable", l.shelf.put("https://example.com/b", text), nil)
	l.clock.Step(time.Minute)
	l.mustOpen(t, r)
	l.hear(t)
	artifact.Digest = v1alpha1.Digest(digest.FromString("https://example.com/b"))
	after := l.mustOpen(t, r)
	if diff := cmp.Diff([]v1alpha1.ArtifactStatus{artifact}, after.Artifacts); diff != "" {
		t.Errorf("the artifact after the move (-want +got):\n%s", diff)
	}
	if after.Digest != before.Digest {
		t.Error("want the release to be the same")
	}
}

func TestAReleaseOfTooManyPartsIsRefused(t *testing.T) {
	t.Parallel()
	many := resolving{answers: [][]answer{{{parts: make([]source.Part, maxParts)}}}}
	many.release.Phases = make([]v1alpha1.Phase, 1)
	if _, err := many.result(); err != nil {
		t.Errorf("want as many as the limit to be taken, got %v", err)
	}
	many.answers[0] = append(many.answers[0], answer{parts: make([]source.Part, 1)})
	_, err := many.result()
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "4097 parts, the limit is 4096")
}

// resolveAgain opens a release whose interval is over, and waits until it is resolved.
func (l *library) resolveAgain(t *testing.T, r v1alpha1.Release) {
	t.Helper()
	asked := l.tags.count()
	l.mustOpen(t, r)
	deadline := time.After(patience)
	for l.tags.count() == asked || l.busy() {
		select {
		case <-deadline:
			t.Fatal("it is not resolved again")
		case <-time.Tick(time.Millisecond):
		}
	}
}

// busy reports whether a source is being resolved.
func (l *library) busy() bool {
	l.resolutions.jobs.mu.Lock()
	defer l.resolutions.jobs.mu.Unlock()
	for _, known := range l.resolutions.jobs.byKey {
		if known.running {
			return true
		}
	}
	return false
}

func TestASourceThatCannotBeResolvedAgainKeepsWhatItStoodFor(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	src := l.shelf.put("https://example.com/a", configMap("a"))
	r := of(l.tags.set("stable", src, nil))
	before := l.mustOpen(t, r)
	if before.Problem != nil {
		t.Errorf("want no problem, got %v", before.Problem)
	}

	refused := fault.Retry(v1alpha1.FetchFailedReason, errors.New("401 Unauthorized"))
	l.tags.set("stable", src, refused)
	l.clock.Step(time.Minute)
	l.mustOpen(t, r)
	l.hear(t)
	after := l.mustOpen(t, r)
	if after.Digest != before.Digest {
		t.Error("want what it stood for before")
	}
	faulttest.Want(t, after.Problem, fault.ClassRetry, v1alpha1.FetchFailedReason, "phase phase-0", "401")

	l.tags.set("stable", src, nil)
	l.clock.Step(firstRetry)
	l.mustOpen(t, r)
	l.hear(t)
	if healed := l.mustOpen(t, r); healed.Problem != nil {
		t.Errorf("want no problem any more, got %v", healed.Problem)
	}
}

func TestASourceWhoseObjectChangedIsResolvedAtOnce(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.tags.set("stable", l.shelf.put("https://example.com/a", configMap("a")), nil))
	l.mustOpen(t, r)
	l.tags.set("stable", l.shelf.put("https://example.com/b", configMap("b")), nil)

	l.Invalidate("elsewhere", func(v1alpha1.Source) bool { return true })
	l.Invalidate(calico.Namespace, func(v1alpha1.Source) bool { return false })
	l.mustOpen(t, r)
	if got := l.tags.count(); got != 1 {
		t.Errorf("want what did not change left alone, got it resolved %d times", got)
	}
	l.Invalidate(calico.Namespace, func(src v1alpha1.Source) bool { return src.OCI != nil })
	l.mustOpen(t, r)
	l.hear(t)
	if got := l.tags.count(); got != 2 {
		t.Errorf("want it resolved again, got %d times", got)
	}
}

func TestASourceWhoseObjectChangesWhileItIsResolvedIsResolvedAgain(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	r := of(l.tags.set("stable", l.shelf.put("https://example.com/a", configMap("a")), nil))
	l.tags.mu.Lock()
	_, err := l.Digest(calico, r, "")
	l.Invalidate(calico.Namespace, func(v1alpha1.Source) bool { return true })
	l.tags.mu.Unlock()
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.FetchingReason, "stable")
	l.mustOpen(t, r)
	deadline := time.After(patience)
	for l.tags.count() < 2 {
		select {
		case <-deadline:
			t.Fatal("it is not resolved again")
		case <-time.Tick(time.Millisecond):
		}
	}
}

func TestOnlyASourceThatCanChangeIsMutable(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	static := l.shelf.put("https://example.com/a", configMap("a"))
	if l.IsMutable(of(static)) {
		t.Error("want a source with a digest to be immutable")
	}
	if !l.IsMutable(of(static, l.tags.set("stable", static, nil))) {
		t.Error("want a tag to be mutable")
	}
}

func TestTheMinorVersionIsWhatCounts(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"a release":        {"v1.36.3", "v1.36"},
		"a vendor's":       {"v1.34.2+k3s1", "v1.34"},
		"a minor version":  {"v1.36", "v1.36"},
		"an unknown one":   {"", ""},
		"something else":   {"latest", "latest"},
		"a vendor's build": {"v1.33.0-eks-abc.1", "v1.33"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := minorOf(tc.given); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestWhatIsVerifiedStandsForNothingOnceItsPolicyChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		given *v1alpha1.Verify
		want  bool
	}{
		"with a policy":    {&v1alpha1.Verify{}, false},
		"without a policy": {nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLibrary(t, t.TempDir(), newShelf())
			bytes := l.shelf.put("https://example.com/a", configMap("a"))
			src := l.tags.set("stable", bytes, nil)
			src.OCI.Verify = tc.given
			r := of(src)
			l.mustOpen(t, r)
			refused := fault.Stall(v1alpha1.SignatureInvalidReason, errors.New("signed by another"))
			l.tags.set("stable", bytes, refused)
			l.Invalidate(calico.Namespace, func(v1alpha1.Source) bool { return true })
			_, _ = l.Open(calico, r)
			l.hear(t)
			opened, err := l.Open(calico, r)
			if tc.want != (err == nil) {
				t.Fatalf("want it opened: %t, got %v", tc.want, err)
			}
			if opened != nil {
				err = opened.Problem
			}
			if fault.ReasonOf(err, "") != v1alpha1.SignatureInvalidReason {
				t.Errorf("want it said that the signature is invalid, got %v", err)
			}
		})
	}
}

func TestTheSignersOfAReleaseAreListedOnceEach(t *testing.T) {
	t.Parallel()
	r := resolved{phases: []resolvedPhase{
		{parts: []source.Part{{VerifiedBy: "key b"}, {}}}, {parts: []source.Part{{VerifiedBy: "key a"}, {VerifiedBy: "key b"}}},
	}}
	if got := r.signers(); !slices.Equal(got, []string{"key a", "key b"}) {
		t.Errorf("want both keys, sorted, got %q", got)
	}
	if sameParts([]source.Part{{VerifiedBy: "key a"}}, []source.Part{{VerifiedBy: "key b"}}) {
		t.Error("want another signer to be news")
	}
	if sameParts([]source.Part{{GivesWay: true}}, []source.Part{{}}) {
		t.Error("want a part that gives way to be another one")
	}
	if gives := (resolved{phases: []resolvedPhase{{parts: []source.Part{{GivesWay: true}}}}}); gives.digest() ==
		(resolved{phases: []resolvedPhase{{parts: []source.Part{{}}}}}).digest() {
		t.Error("want a release that gives way to be another one")
	}
	if sameParts([]source.Part{{Warnings: []string{"a"}}}, []source.Part{{}}) {
		t.Error("want another warning to be news")
	}
}
