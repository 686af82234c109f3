package workload

import (
	"net/http"
	"testing"
	"testing/synctest"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAWatchBeginsWhereEverythingThatWasSeenIsKnown(t *testing.T) {
	t.Parallel()
	maps := core(t, "ConfigMap")
	a, b := refTo("ConfigMap", "ns", "a"), refTo("ConfigMap", "ns", "b")
	one := objectOf("mine")
	tests := map[string]struct {
		given func(*seen)
		want  string
	}{
		"nothing was seen":                 {given: func(*seen) {}},
		"another kind was":                 {given: func(s *seen) { s.noteList(core(t, "Secret"), "7", nil) }},
		"a list":                           {given: func(s *seen) { s.noteList(maps, "7", nil) }, want: "7"},
		"a list of an unknown revision":    {given: func(s *seen) { s.noteList(maps, "", nil) }},
		"an object":                        {given: func(s *seen) { s.noteObject(maps, a, "9", one) }, want: "9"},
		"revisions are numbers":            {func(s *seen) { s.noteObject(maps, a, "10", one); s.noteObject(maps, b, "9", one) }, "9"},
		"an object that was written later": {func(s *seen) { s.noteObject(maps, a, "7", nil); s.noteObject(maps, a, "9", one) }, "9"},
		"a list and an object of it":       {func(s *seen) { s.noteList(maps, "7", nil); s.noteObject(maps, a, "9", one) }, "7"},
		"something at an unknown revision": {func(s *seen) { s.noteRead(maps); s.noteObject(maps, a, "9", one) }, ""},
		"something read after the list":    {func(s *seen) { s.noteList(maps, "7", nil); s.noteRead(maps) }, "7"},
		"the parent, which is not a member": {given: func(s *seen) {
			s.noteParent(&metav1.ObjectMeta{Labels: map[string]string{inventory.IDLabel: "mine"}}, "7")
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, target := newSeen(), rollout.Target{Resource: maps, Label: inventory.PartOfLabel}
			tc.given(s)
			got := s.beginnings([]subscription{{target: target, part: "mine"}})[target]
			if got.from.String() != tc.want {
				t.Errorf("want it to begin at %q, got %q", tc.want, got.from)
			}
		})
	}
}

func TestAWatchOfParentsBeginsWhereEachOfThemWasSeen(t *testing.T) {
	t.Parallel()
	s, target := newSeen(), rollout.Target{Resource: core(t, "ConfigMap"), Namespace: "kube-system", Label: inventory.IDLabel}
	s.noteObject(target.Resource, refTo("ConfigMap", "kube-system", "member"), "3", objectOf("mine"))
	parent := &metav1.ObjectMeta{Labels: map[string]string{inventory.IDLabel: "mine"}}
	s.noteParent(parent, "5")
	s.noteParent(parent, "8")
	mine, theirs := subscription{target: target, part: "mine"}, subscription{target: target, part: "theirs"}
	if got := s.beginnings([]subscription{mine})[target].from.String(); got != "8" {
		t.Errorf("want it behind the last write of the parent, got %q", got)
	}
	if got := s.beginnings([]subscription{mine, theirs})[target].from.String(); got != "" {
		t.Errorf("want nothing known where one of them was not seen, got %q", got)
	}
}

// lookedAt is a client of a pass, and the target of members of which it saw one.
func lookedAt(t *testing.T) (whole, pass *Client, target rollout.Target) {
	t.Helper()
	target = contentOf(membersOf(t, "a"))[0]
	whole = &Client{}
	pass = whole.ForPass()
	live := appliedMember()
	pass.saw().noteObject(target.Resource, manifest.Ref{Namespace: live.Namespace, Name: live.Name}, "7", live)
	return whole, pass, target
}

func TestAWatchThatBeginsWhereAPassLookedTellsWhatHappenedSince(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given     func(bubble)
		wantTold  bool
		wantQuiet bool
		wantFrom  []string // of the streams, in their order
	}{
		"nothing": {func(bubble) {}, false, true, []string{"7"}},
		"what the pass itself did": {
			func(b bubble) { b.server.running()[0].send(watch.Added, appliedMember()) }, false, true, []string{"7"},
		},
		"a change": {func(b bubble) {
			changed := appliedMember()
			changed.Annotations[inventory.SHA256Annotation] = "other"
			b.server.running()[0].send(watch.Modified, changed)
		}, true, false, []string{"7"}},
		"a deletion": {
			func(b bubble) { b.server.running()[0].send(watch.Deleted, appliedMember()) }, true, false, []string{"7"},
		},
		"the server no longer knows": {func(b bubble) {
			b.server.running()[0].send(watch.Error, &metav1.Status{Code: http.StatusGone})
			afterRestart()
		}, true, false, []string{"7", ""}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				whole, pass, target := lookedAt(t)
				b.Set(calico, pass, []rollout.Target{target})
				afterStart()
				if len(b.told.keys) > 0 {
					t.Errorf("want nobody told of the start, got %v", b.told.keys)
				}
				tc.given(b)
				synctest.Wait()
				if got := b.Look(calico, whole)(target); got != tc.wantQuiet {
					t.Errorf("quiet: want %t, got %t", tc.wantQuiet, got)
				}
				if told := b.told.keys[calico] > 0; told != tc.wantTold {
					t.Errorf("told: want %t, got %t", tc.wantTold, told)
				}
				var from []string
				for _, stream := range b.server.all {
					from = append(from, stream.from)
				}
				wantStrings(t, "begun at", tc.wantFrom, from)
			})
		})
	}
}

func wantStrings(t *testing.T, what string, want, got []string) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%s: want %q, got %q", what, want, got)
	}
	for i := range want {
		if want[i] != got[i] {
			t.Errorf("%s: want %q, got %q", what, want, got)
		}
	}
}

func TestAWatchThatCannotBeginWhereAPassLookedBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		whole, pass, target := lookedAt(t)
		b.server.fail(apierrors.NewResourceExpired("too old"))
		b.Set(calico, pass, []rollout.Target{target})
		afterStart()
		if b.Look(calico, whole)(target) {
			t.Error("want nothing known of what is not watched")
		}
		b.server.fail(nil)
		afterRestart()
		b.wantTold(t, "once it is open", onlyCalico)
		if from := b.wantRunning(t, "one kind", 1)[0].from; from != "" {
			t.Errorf("want it to begin now, got %q", from)
		}
	})
}

func TestWhoJoinsAWatchThatBeganWhereAnotherLookedIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		whole, pass, target := lookedAt(t)
		b.Set(calico, pass, []rollout.Target{target})
		b.Set(logging, whole, contentOf(membersOf(t, "b")))
		afterStart()
		b.wantTold(t, "the second", map[types.NamespacedName]int{logging: 1})
		b.wantRunning(t, "one kind", 1)
	})
}

func TestAStreamOverTheBoundDoesNotBeginWhereAPassLooked(t *testing.T) {
	t.Parallel()
	c := newClusterStreams(minWatch, func(*stream) {})
	for len(c.all) < maxStreams {
		c.join(calico, subscription{target: rollout.Target{Name: string(rune(len(c.all)))}}, beginning{})
	}
	over := subscription{target: rollout.Target{Name: "over"}}
	c.join(calico, over, beginning{from: 7})
	if from := c.all[over.target].from; from != "" {
		t.Errorf("want it to begin when there is room, got %q", from)
	}
}

// TestAPassAndItsWatchCostOneAPIServerOneListAndOneWatch is about a real API server: an
// answer has the same content as the event, and the watch begins where the list was.
func TestAPassAndItsWatchCostOneAPIServerOneListAndOneWatch(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	proxy := testenv.NewProxy(t, w.APIServer)
	c, told := newClient(t, proxy.Config), make(chan struct{}, 10)
	watches := NewWatches(t.Context(), func(types.NamespacedName) { told <- struct{}{} })
	target := rollout.Target{Resource: core(t, "ConfigMap"), Namespace: ns, Label: inventory.PartOfLabel + "=mine", Content: true}
	member(t, c, ns, "before", "mine", "1")
	proxy.Reset()

	pass := c.ForPass()
	if err := pass.List(t.Context(), target.Resource, ns, target.Label, func(*metav1.PartialObjectMetadata) {}); err != nil {
		t.Fatal(err)
	}
	member(t, pass, ns, "one", "mine", "1")
	member(t, pass, ns, "two", "mine", "1")
	watches.Set(calico, pass, []rollout.Target{target})
	gone := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "before"}}
	gone.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	if err := w.Client.Delete(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	<-told
	if watches.Look(calico, c)(target) {
		t.Error("want the deletion seen")
	}
	select {
	case <-told:
		t.Error("want what the pass did not told")
	default:
	}
	if lists, watched := proxy.Count("list", ""), proxy.Count("watch", ""); lists != 1 || watched != 1 {
		t.Errorf("want one list and one watch, got %d and %d", lists, watched)
	}
}
