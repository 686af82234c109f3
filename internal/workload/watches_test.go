package workload

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

var calico = types.NamespacedName{Namespace: "default", Name: "calico"}

// counted counts the notifications of each key.
type counted struct {
	mu   sync.Mutex
	keys map[types.NamespacedName]int
}

func (c *counted) notify(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[types.NamespacedName]int)
	}
	c.keys[key]++
}

func (c *counted) of(key types.NamespacedName) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys[key]
}

// labelled applies a ConfigMap with a label.
func labelled(t testing.TB, c *Client, namespace, name, label string) {
	t.Helper()
	ref := refTo("ConfigMap", namespace, name)
	body := fmt.Appendf(nil,
		`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":%q,"namespace":%q,"labels":{"part":%q}}}`,
		name, namespace, label)
	if _, err := c.Apply(t.Context(), core(t, "ConfigMap"), ref, body, inventory.FieldManager); err != nil {
		t.Fatal(err)
	}
}

func TestWatchesTellOfWhatIsThereAndOfWhatHappens(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	labelled(t, c, ns, "other", "not-"+ns)
	labelled(t, c, ns, "settings", ns)
	tests := map[string]struct{ given rollout.Target }{
		"an object by its name":  {rollout.Target{Resource: core(t, "ConfigMap"), Namespace: ns, Name: "settings"}},
		"objects by their label": {rollout.Target{Resource: core(t, "ConfigMap"), Label: "part=" + ns}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			told := &counted{}
			watches := NewWatches(t.Context(), told.notify)
			watches.Set(calico, c, []rollout.Target{tc.given})
			testenv.Eventually(t, "what is there is told", func() bool { return told.of(calico) >= 1 })

			applyConfigMap(t, c, ns, "another", "value")
			remove(t, w.APIServer, ns, "other")
			labelled(t, c, ns, "other", "not-"+ns)
			remove(t, w.APIServer, ns, "settings")
			labelled(t, c, ns, "settings", ns)

			testenv.Eventually(t, "what happens is told", func() bool { return told.of(calico) >= 3 })
			// A stream keeps its order: events of other objects would be counted by now.
			if got := told.of(calico); got != 3 {
				t.Errorf("want to be told of what was there, its end and its return, got %d notifications", got)
			}
		})
	}
}

// remove deletes a ConfigMap as the administrator.
func remove(t testing.TB, s *testenv.APIServer, namespace, name string) {
	t.Helper()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := s.Client.Delete(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func TestWatchesOutliveTheAPIServer(t *testing.T) {
	t.Parallel()
	w := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	labelled(t, c, ns, "settings", "mine")
	told := &counted{}
	watches := NewWatches(t.Context(), told.notify)
	watches.Set(calico, c, []rollout.Target{{Resource: core(t, "ConfigMap"), Namespace: ns, Name: "settings"}})
	testenv.Eventually(t, "what is there is told", func() bool { return told.of(calico) == 1 })

	w.StopAPIServer()
	if err := w.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}

	testenv.Eventually(t, "what is there is told anew", func() bool { return told.of(calico) >= 2 })
	before := told.of(calico)
	labelled(t, c, ns, "settings", "changed")
	testenv.Eventually(t, "a change is told", func() bool { return told.of(calico) > before })

	events, err := openWatch(t.Context(), c, settingsTarget(t), "1", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer events.close()
	if _, err := events.next(); err == nil || !strings.Contains(err.Error(), "too old resource version") {
		t.Errorf("want a server that began anew to say that it knows nothing of the past, got %v", err)
	}
}

// watched is an API server that has nothing and only serves watches, and lists for
// the revision to begin at.
type watched struct {
	*httptest.Server

	mu     sync.Mutex
	open   map[string]int // by path and selectors
	begun  int
	refuse int // how many watches to refuse first
	last   url.Values
}

func newWatched(t testing.TB) *watched {
	t.Helper()
	s := &watched{open: make(map[string]int)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP serves a watch in which nothing happens until the client ends it.
func (s *watched) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Get("watch") == "" {
		_, _ = io.WriteString(w, `{"metadata":{"resourceVersion":"5"}}`)
		return
	}
	key := r.URL.Path + "?" + query.Get("fieldSelector") + query.Get("labelSelector")
	s.mu.Lock()
	s.begun++
	s.last = query
	if s.begun <= s.refuse {
		s.mu.Unlock()
		http.Error(w, "not now", http.StatusInternalServerError)
		return
	}
	s.open[key]++
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key]--; s.open[key] == 0 {
		delete(s.open, key)
	}
}

// has reports whether exactly these watches are open, each once.
func (s *watched) has(paths ...string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	want := make(map[string]int, len(paths))
	for _, path := range paths {
		want[path]++
	}
	return cmp.Equal(want, s.open)
}

// requests returns how many watches were requested.
func (s *watched) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

func (s *watched) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

const (
	settingsPath = "/api/v1/namespaces/ns/configmaps?metadata.name=settings"
	membersPath  = "/api/v1/configmaps?part=mine"
)

func settingsTarget(t testing.TB) rollout.Target {
	t.Helper()
	return rollout.Target{Resource: core(t, "ConfigMap"), Namespace: "ns", Name: "settings"}
}

func membersTarget(t testing.TB) rollout.Target {
	t.Helper()
	return rollout.Target{Resource: core(t, "ConfigMap"), Label: "part=mine"}
}

func silent(types.NamespacedName) {}

func TestSetWatchesTheTargetsAndNothingElse(t *testing.T) {
	t.Parallel()
	server := newWatched(t)
	c := newClient(t, &rest.Config{Host: server.URL})
	watches := NewWatches(t.Context(), silent)
	other := types.NamespacedName{Namespace: "default", Name: "other"}
	settings, members := settingsTarget(t), membersTarget(t)

	watches.Set(calico, c, []rollout.Target{settings})
	testenv.Eventually(t, "the target is watched", func() bool { return server.has(settingsPath) })
	watches.Set(calico, c, []rollout.Target{settings, members, members})
	testenv.Eventually(t, "a second target is watched", func() bool { return server.has(settingsPath, membersPath) })
	watches.Set(other, c, []rollout.Target{settings})
	watches.Set(calico, c, []rollout.Target{members})
	testenv.Eventually(t, "what another key wants goes on", func() bool { return server.has(settingsPath, membersPath) })
	watches.Stop(other)
	testenv.Eventually(t, "what no key wants ends", func() bool { return server.has(membersPath) })
	watches.Set(calico, c, nil)
	testenv.Eventually(t, "no targets end all", func() bool { return server.has() })
	watches.Stop(calico)
	watches.Stop(calico)

	if server.begun != 2 {
		t.Errorf("want a watch that is wanted again to go on: 2 requests, got %d", server.begun)
	}
}

func TestAWatchAsksToBeEnded(t *testing.T) {
	t.Parallel()
	server := newWatched(t)
	watches := NewWatches(t.Context(), silent)
	watches.Set(calico, newClient(t, &rest.Config{Host: server.URL}), []rollout.Target{membersTarget(t)})
	testenv.Eventually(t, "the target is watched", func() bool { return server.has(membersPath) })
	seconds, err := strconv.Atoi(server.last.Get("timeoutSeconds"))
	if err != nil || seconds < 300 || seconds >= 600 {
		t.Errorf("want an end after 5 to 10 minutes, got %q", server.last.Get("timeoutSeconds"))
	}
	if server.last.Get("resourceVersion") != "5" || server.last.Get("allowWatchBookmarks") != "true" {
		t.Errorf("want a watch that begins with no event for what is there, with bookmarks, got %v", server.last)
	}
}

func TestANewClientReplacesTheOldOne(t *testing.T) {
	t.Parallel()
	before, after := newWatched(t), newWatched(t)
	watches := NewWatches(t.Context(), silent)
	targets := []rollout.Target{settingsTarget(t), membersTarget(t)}
	watches.Set(calico, newClient(t, &rest.Config{Host: before.URL}), targets)
	testenv.Eventually(t, "the targets are watched", func() bool { return before.has(settingsPath, membersPath) })
	watches.Set(calico, newClient(t, &rest.Config{Host: after.URL}), targets)
	testenv.Eventually(t, "the new client watches", func() bool { return after.has(settingsPath, membersPath) })
	testenv.Eventually(t, "the old client does not", func() bool { return before.has() })
}

func TestTheWatchesOfAClusterAreBounded(t *testing.T) {
	t.Parallel()
	server := newWatched(t)
	watches := NewWatches(t.Context(), silent)
	watches.Set(calico, newClient(t, &rest.Config{Host: server.URL}), named(t, 0, 2*maxStreams))
	testenv.Eventually(t, "the watches run", func() bool { return server.count() == maxStreams })
	if got := server.requests(); got != maxStreams {
		t.Errorf("want %d watches, got %d", maxStreams, got)
	}
}

// named returns targets of objects with the numbers from..to-1 as names.
func named(t testing.TB, from, to int) []rollout.Target {
	t.Helper()
	var targets []rollout.Target
	for i := from; i < to; i++ {
		targets = append(targets, rollout.Target{Resource: core(t, "ConfigMap"), Namespace: "ns", Name: fmt.Sprint(i)})
	}
	return targets
}

func TestAWatchThatIsRefusedIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := newWatched(t)
	server.refuse = 1
	watches := NewWatches(t.Context(), silent)
	watches.Set(calico, newClient(t, &rest.Config{Host: server.URL}), []rollout.Target{membersTarget(t)})
	testenv.Eventually(t, "the target is watched", func() bool { return server.has(membersPath) })
	if server.begun != 2 {
		t.Errorf("want one more try, got %d requests", server.begun)
	}
}

func TestAllWatchesEndWithTheContext(t *testing.T) {
	t.Parallel()
	server := newWatched(t)
	ctx, cancel := context.WithCancel(t.Context())
	watches := NewWatches(ctx, silent)
	targets := []rollout.Target{settingsTarget(t), membersTarget(t)}
	watches.Set(calico, newClient(t, &rest.Config{Host: server.URL}), targets)
	testenv.Eventually(t, "the targets are watched", func() bool { return server.has(settingsPath, membersPath) })
	cancel()
	testenv.Eventually(t, "no watch is left", func() bool { return server.has() })
}

func TestAWatchOfAKindThatIsNotServedDoesNoHarm(t *testing.T) {
	t.Parallel()
	w := testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, w.APIServer)
	c := newClient(t, w.Config)
	told := &counted{}
	watches := NewWatches(t.Context(), told.notify)
	watches.Set(calico, c, []rollout.Target{
		{Resource: manifest.Resource{Group: "example.com", Version: "v1", Plural: "bookshops"}, Name: "corner"},
		{Resource: core(t, "ConfigMap"), Namespace: ns, Name: "settings"},
	})
	testenv.Eventually(t, "the other target is watched", func() bool { return told.of(calico) == 1 })
	labelled(t, c, ns, "settings", "mine")
	testenv.Eventually(t, "the other target is told of", func() bool { return told.of(calico) == 2 })
}
