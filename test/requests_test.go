package test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// calicoObjects is how many objects Calico v3.32.1 has. The parent of the
	// inventory is one more that is written.
	calicoObjects = 43

	// besideObjects is how many requests an install may need beside one for each
	// object that is written.
	besideObjects = 15

	// memoryLife is how long passes believe what no watch tells of, while a release is in
	// progress: a slow machine may need longer.
	memoryLife = 30 * time.Second
)

func TestRequestsOfAFreshInstallOfCalico(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	bundle := s.catalogue("calico")
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
	seen := testenv.NewProxy(t, workload.APIServer)
	s.create(bundle)
	s.set("calico")
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))

	cluster := s.cluster("oslo", "nobody", seen)
	seen.Reset() // what the test asked for
	begin := time.Now()
	s.change(cluster, func() { cluster.Labels = optIn("calico") })
	s.Eventually(s.ready("calico-oslo")).Should(Equal(waitsForTigeraStatus))
	waits := time.Since(begin)
	s.tigeraStatusAvailable(workload)
	s.Eventually(s.ready("calico-oslo")).Should(Equal(isReady))
	ready := time.Since(begin)
	s.Eventually(func() bool { return slices.ContainsFunc(seen.Requests(), isUnanswered) }).Should(BeFalse())

	ours, others, polls := ofInstall(seen.Requests())
	t.Logf("Calico waits for its status after %.1f s and is ready after %.1f s: %d requests\n%s\nand %d to connect\n%s",
		waits.Seconds(), ready.Seconds(), len(ours), counted(ours), len(others), counted(others))
	// A server under load takes longer until it serves the definitions. It is asked every
	// second or less often, after three times sooner.
	late := max(0, polls-1)
	// They look again at the parent, and at what is not applied yet, of each kind once.
	again := int(ready/memoryLife) * seen.Count("watch", "")
	s.Expect(len(ours) - late - streams(ours)).To(BeNumerically("<=", calicoObjects+1+besideObjects+again))
	s.Expect(late).To(BeNumerically("<=", 3+int(waits/time.Second)))
	for _, r := range ours {
		s.Expect(hasFailed(r)).To(BeFalse(), "no request fails: %s %s: %d", r.Verb, r.Path, r.Status)
	}
}

// streams returns how many of the requests are for watches: when a release is
// complete, one for each of its kinds and one for the revision that it begins at.
func streams(requests []testenv.Request) int {
	n := 0
	for _, r := range requests {
		if isForStream(r) {
			n++
		}
	}
	return n
}

func isForStream(r testenv.Request) bool {
	return r.Verb == "watch" || r.Verb == "list" && r.Query == "limit=1"
}

// ofInstall returns the requests of an install, those that connect and how often
// discovery was read. Who reads the version connects, or chooses a release by it.
func ofInstall(requests []testenv.Request) (ours, others []testenv.Request, polls int) {
	for _, r := range requests {
		switch {
		case r.Path == "/version":
			others = append(others, r)
			continue
		// Of a definition that is not served after 15 seconds it is read why.
		case r.Resource == "", r.Verb == "get" && r.Resource == "customresourcedefinitions":
			polls++
		}
		ours = append(ours, r)
	}
	return ours, others, polls
}

// isUnanswered reports whether a request has no answer, or none yet. Streams may
// still begin when all is ready, and a watch has no status before it ends.
func isUnanswered(r testenv.Request) bool { return r.Status == 0 && !isForStream(r) }

// hasFailed reports whether a request failed. That an object does not exist is an
// answer to the question whether it does.
func hasFailed(r testenv.Request) bool {
	return r.Status >= 300 && (r.Verb != "get" || r.Resource == "" || r.Status != 404)
}

// counted returns how often there was each verb, resource and failure, by lines.
func counted(requests []testenv.Request) string {
	counts := make(map[string]int)
	for _, r := range requests {
		subject := r.Resource
		if subject == "" {
			subject = r.Path
		}
		if r.Status >= 300 {
			subject += fmt.Sprintf(" (%d)", r.Status)
		}
		counts[r.Verb+" "+subject]++
	}
	lines := make([]string, 0, len(counts))
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%3d %s", counts[what], what))
	}
	return strings.Join(lines, "\n")
}
