package test

import (
	"cmp"
	"os"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// idleVariable is for how long nothing happens to the idle Clusters. When it is
	// set, nothing else shares the machine, and how soon drift is repaired counts.
	idleVariable = "IDLE_TIME"
	idleDefault  = "45s"

	// shortestStream is how long a watch lasts at least.
	shortestStream = 5 * time.Minute
)

// calicoOn makes a Cluster of the name with Calico behind a proxy, and returns the
// proxy once the Cluster is Ready. The Bundle and the set must exist.
func (s *scenario) calicoOn(name string, workload *testenv.Workload) *testenv.Proxy {
	s.t.Helper()
	seen := testenv.NewProxy(s.t, workload.APIServer)
	s.cluster(name, "calico", seen)
	s.Eventually(s.ready("calico-" + name)).Should(Equal(waitsForTigeraStatus))
	s.tigeraStatusAvailable(workload)
	s.Eventually(s.ready("calico-" + name)).Should(Equal(isReady))
	return seen
}

// beside returns the requests that are not for a watch.
func beside(seen *testenv.Proxy) []testenv.Request {
	var rest []testenv.Request
	for _, r := range seen.Requests() {
		if r.Verb != "watch" {
			rest = append(rest, r)
		}
	}
	return rest
}

// settles waits until nothing was asked of a Cluster for a while.
func (s *scenario) settles(seen *testenv.Proxy) {
	s.t.Helper()
	asked, since := -1, time.Now()
	s.Eventually(func() time.Duration {
		if n := len(beside(seen)) + seen.Count("watch", ""); n != asked {
			asked, since = n, time.Now()
		}
		return time.Since(since)
	}).Should(BeNumerically(">", quiet))
}

func TestNothingIsAskedOfIdleClusters(t *testing.T) {
	t.Parallel()
	period, err := time.ParseDuration(cmp.Or(os.Getenv(idleVariable), idleDefault))
	if err != nil {
		t.Fatal(err)
	}
	s := newScenario(t)
	s.create(s.catalogue("calico"))
	s.set("calico")
	clusters := make(map[string]*testenv.Proxy)
	for _, name := range []string{"arles", "nimes"} {
		clusters[name] = s.calicoOn(name, testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1}))
	}
	streams := make(map[string]int)
	for name, seen := range clusters {
		s.settles(seen)
		streams[name] = streamsOf(seen)
		seen.Reset()
	}

	s.Consistently(func() []testenv.Request {
		return append(beside(clusters["arles"]), beside(clusters["nimes"])...)
	}, period, time.Second).Should(BeEmpty(), "only watches")
	for name, seen := range clusters {
		t.Logf("%s, idle for %s with %d streams:\n%s", name, period, streams[name], counted(seen.Requests()))
		rotations := int(period/shortestStream) + 1
		s.Expect(seen.Count("watch", "")).To(BeNumerically("<=", rotations*streams[name]))
		s.Expect(s.ready("calico-" + name)()).To(Equal(isReady))
	}
}

// streamsOf returns how many different watches a proxy was asked for.
func streamsOf(seen *testenv.Proxy) int {
	different := make(map[string]bool)
	for _, r := range seen.Requests() {
		if r.Verb == "watch" {
			selector, _, _ := strings.Cut(r.Query, "&resourceVersion=")
			different[r.Path+"?"+selector] = true
		}
	}
	return len(different)
}
