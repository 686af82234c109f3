package test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// outage is a server that can be down: it answers 503 then.
type outage struct{ isDown atomic.Bool }

// outageOf returns the outage of a server that nobody has asked yet.
func outageOf(server *httptest.Server) *outage {
	o := &outage{}
	serve := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if o.isDown.Load() {
			http.Error(rw, "down", http.StatusServiceUnavailable)
			return
		}
		serve.ServeHTTP(rw, r)
	})
	return o
}

// regressions records which ClusterBundles were seen with Ready=False.
type regressions struct {
	mu   sync.Mutex
	seen []string
}

// list returns what was seen, sorted.
func (r *regressions) list() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.seen))
}

// watchRegressions watches the ClusterBundles of the scenario from now on.
func (s *scenario) watchRegressions() *regressions {
	s.t.Helper()
	c, err := client.NewWithWatch(s.management.Config, client.Options{Scheme: testenv.Scheme()})
	s.Expect(err).NotTo(HaveOccurred())
	events, err := c.Watch(s.t.Context(), &v1alpha1.ClusterBundleList{}, client.InNamespace(s.namespace))
	s.Expect(err).NotTo(HaveOccurred())
	s.t.Cleanup(events.Stop)
	found := &regressions{}
	go func() {
		for event := range events.ResultChan() {
			cb, ok := event.Object.(*v1alpha1.ClusterBundle)
			if !ok {
				continue
			}
			ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
			if ready == nil || ready.Status != "True" {
				found.mu.Lock()
				found.seen = append(found.seen, fmt.Sprintf("%s: %+v", cb.Name, ready))
				found.mu.Unlock()
			}
		}
	}()
	return found
}

// fleet is a number of Clusters of one workload cluster, each behind a proxy.
type fleet struct {
	*scenario

	clusters []*testenv.Proxy
}

func (s *scenario) fleet(n int, set string, workload *testenv.Workload) *fleet {
	s.t.Helper()
	f := &fleet{scenario: s}
	for i := range n {
		proxy := testenv.NewProxy(s.t, workload.APIServer)
		f.clusters = append(f.clusters, proxy)
		s.cluster(fmt.Sprintf("c%d", i), set, proxy)
	}
	return f
}

// allReady waits until all Clusters have the set.
func (f *fleet) allReady(set string) {
	f.t.Helper()
	for i := range f.clusters {
		f.Eventually(f.ready(fmt.Sprintf("%s-c%d", set, i))).Should(Equal(isReady))
	}
}

// reset forgets the requests so far.
func (f *fleet) reset() {
	for _, proxy := range f.clusters {
		proxy.Reset()
	}
}

// each waits until what was asked of each Cluster is enough.
func (f *fleet) each(enough func(map[string]int) bool) {
	f.t.Helper()
	for _, proxy := range f.clusters {
		f.Eventually(func() bool { return enough(asked(proxy)) }).Should(BeTrue(), func() string { return fmt.Sprint(asked(proxy)) })
	}
}

// writes returns the requests that change objects.
func (f *fleet) writes() []testenv.Request {
	var all []testenv.Request
	for _, proxy := range f.clusters {
		all = append(all, proxy.Writes()...)
	}
	return all
}

// summary returns how many Clusters got which requests, for people.
func (f *fleet) summary() string {
	counts := make(map[string]int)
	for _, proxy := range f.clusters {
		for request, n := range asked(proxy) {
			counts[fmt.Sprintf("%d x %s", n, request)]++
		}
	}
	lines := make([]string, 0, len(counts))
	for _, line := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%3d Clusters: %s", counts[line], line))
	}
	return strings.Join(lines, "\n")
}

// The requests of a manager that finds everything complete.
const (
	readsParent    = "list configmaps caapb"
	looksAtObjects = "list configmaps with a label"
	looksAtAccount = "list serviceaccounts of a name"
	readsWorkloads = "list deployments with a label"
	watches        = "watch deployments"
	watchesAccount = "watch serviceaccounts"
	// One is for the objects, one for the parent.
	watchesConfigMaps = "watch configmaps"
)

// asked returns how often a proxy was asked for what, beside discovery and the version,
// which have no resource.
func asked(proxy *testenv.Proxy) map[string]int {
	counts := make(map[string]int)
	for _, r := range proxy.Requests() {
		if r.Resource == "" {
			continue
		}
		request := r.Verb + " " + r.Resource
		switch {
		case strings.HasPrefix(r.Name, "caapb."):
			request += " caapb"
		case r.Verb == "list" && r.Name != "":
			request += " of a name"
		case r.Verb == "list" && strings.Contains(r.Query, "labelSelector"):
			request += " with a label"
		case r.Verb == "list" && r.Query == "limit=1":
			request += " for a revision"
		}
		counts[request]++
	}
	return counts
}

func TestARestartWithTwentyCompleteClustersChangesNothing(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Race: true, Args: []string{"--resolve-interval=1s"},
	}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	r := newRegistry(s)
	web, registry := outageOf(s.web.Server), outageOf(r.Server)
	r.push("operator", "v1", layer{yamlLayer, "", documents(s.deployment("one"), s.deployment("two"),
		fmt.Sprintf("apiVersion: v1\nkind: ServiceAccount\nmetadata: {namespace: default, name: %s}\n", s.namespace))})

	const clusters, set = 20, "steady"
	s.bundle(set, release("1.0.0", phase("config", s.web.publish("config.yaml", s.many(3))),
		phase("operator", r.source("operator", tagged("v1")))))
	s.set(set)
	f := s.fleet(clusters, set, testenv.SharedWhole(t))
	f.allReady(set)
	manager.Stop()
	seen := s.watchRegressions()
	f.reset()

	// With the cache.
	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	f.each(func(asked map[string]int) bool {
		return asked[watches] > 0 && asked[watchesConfigMaps] > 1 && asked[watchesAccount] > 0
	})
	s.Consistently(f.writes, quiet, time.Second).Should(BeEmpty())
	t.Log("after a restart:\n" + f.summary())
	for _, proxy := range f.clusters {
		asked := asked(proxy)
		// One pass looks at everything, and the watches begin where it looked. While the
		// release is indexed anew the parent is also read: at first, and whenever one of its
		// two sources is resolved or indexed. On a busy machine that may start another pass
		// before all watches are open, at which those that are not are looked at again. The
		// Deployments are both looked at and waited for.
		const whileIndexed = 4
		const passes = 1 + whileIndexed
		s.Expect(asked[readsParent]).To(And(BeNumerically(">=", 1), BeNumerically("<=", passes+whileIndexed)), readsParent)
		delete(asked, readsParent)
		for look, times := range map[string]int{
			readsWorkloads: 2, looksAtObjects: 1, looksAtAccount: 1,
		} {
			s.Expect(asked[look]).To(And(BeNumerically(">=", times), BeNumerically("<=", passes*times)), look)
			delete(asked, look)
		}
		s.Expect(asked).To(Equal(map[string]int{watches: 1, watchesConfigMaps: 2, watchesAccount: 1}), "no revision is asked for")
	}
	s.Expect(seen.list()).To(BeEmpty(), "Ready stays")

	// With neither the cache nor a source.
	s.manager.Stop()
	web.isDown.Store(true)
	registry.isDown.Store(true)
	f.reset()
	options.CacheDir = t.TempDir()
	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	bundle := &v1alpha1.Bundle{}
	bundle.Namespace, bundle.Name = s.namespace, set
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False (FetchFailed|Throttled): .*503"))
	f.each(func(asked map[string]int) bool { return asked[readsParent] > 0 })
	s.Consistently(f.writes, quiet, time.Second).Should(BeEmpty())
	t.Log("after a restart without cache and sources:\n" + f.summary())
	s.Expect(seen.list()).To(BeEmpty(), "Ready stays while nothing can be fetched")

	// And when they are back.
	web.isDown.Store(false)
	registry.isDown.Store(false)
	f.each(func(asked map[string]int) bool { return asked[watches] > 0 && asked[readsWorkloads] > 1 })
	s.Expect(f.writes()).To(BeEmpty())
	s.Expect(seen.list()).To(BeEmpty(), "Ready stays")
	f.allReady(set)
}

// quiet is how long nothing may happen.
const quiet = 5 * time.Second

// deployment is the manifest of a Deployment with one replica.
func (s *scenario) deployment(name string) string {
	return fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {namespace: default, name: %[1]s-%[2]s}
spec:
  selector: {matchLabels: {app: %[1]s-%[2]s}}
  template:
    metadata: {labels: {app: %[1]s-%[2]s}}
    spec: {containers: [{name: main, image: example.org/nothing}]}
`, s.namespace, name)
}
