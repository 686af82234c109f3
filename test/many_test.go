package test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// manyVariable is how many objects TestManyObjectsOverASlowLink has. By default
	// as many as take more than one pass.
	manyVariable = "MANY_OBJECTS"
	manyDefault  = 1500

	// slowLink is the time that a request takes there and back.
	slowLink = 150 * time.Millisecond

	// oldest is how old the status of a rollout may become, on a machine that is fast
	// enough.
	oldest = 30 * time.Second
)

// delayed returns a Fault that lets each request pass after a time.
func delayed(by time.Duration) testenv.Fault {
	return func(_ http.ResponseWriter, r *http.Request, _ testenv.Request) bool {
		select {
		case <-time.After(by):
		case <-r.Context().Done():
		}
		return false
	}
}

// many are the manifests of so many ConfigMaps.
func (s *scenario) many(n int) string {
	manifests := make([]string, n)
	for i := range manifests {
		manifests[i] = configMap("default", fmt.Sprintf("%s-%d", s.namespace, i), "x")
	}
	return documents(manifests...)
}

func TestManyObjectsOverASlowLink(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("many objects over a slow link take a while")
	}
	objects := manyDefault
	if text := os.Getenv(manyVariable); text != "" {
		var err error
		if objects, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	seen := testenv.NewProxy(t, workload.APIServer)
	seen.SetFault(delayed(slowLink))
	bundle := s.bundle("many", release("1.0.0", phase("all", s.web.publish("many.yaml", s.many(objects)))))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	s.set("many")
	s.cluster("far", "many", seen)

	begun := time.Now()
	p := &progress{changed: begun}
	s.Eventually(func() string { return p.observe(s, "many-far") }).WithTimeout(patience + time.Duration(objects)*slowLink/2).
		Should(Equal(isReady))
	took := time.Since(begun)
	t.Logf("%d objects over a link with %s: Ready after %.0f s and %d applies, the oldest status was %.1f s:\n%s",
		objects, slowLink, took.Seconds(), seen.Count("patch", "configmaps"), p.longest.Seconds(),
		strings.Join(p.states, "\n"))

	// On one that is not, the status came at least once on the way.
	s.Expect(p.longest).To(BeNumerically("<", max(oldest, took*3/4)))
	s.Expect(slices.IsSorted(p.ready)).To(BeTrue(), "each pass moves on: %v", p.ready)
	s.Expect(p.states).To(ContainElement(MatchRegexp(fmt.Sprintf(`phase all: \d+ of %d objects are applied`, objects))))
	s.Expect(seen.Count("patch", "configmaps")).To(BeNumerically("<=", objects+few), "no pass repeats what an earlier one did")
}

// few are the applies that a pass may repeat since it did not get their answer.
const few = 8

// progress is what the status of a ClusterBundle was, one after the other.
type progress struct {
	// states are phases and messages, ready how many objects were.
	states []string
	ready  []int32
	// changed is when the last state came, longest the longest time between two.
	changed time.Time
	longest time.Duration
}

// observe reads the status and returns the Ready condition.
func (p *progress) observe(s *scenario, name string) string {
	cb := s.named(name)
	ready := s.state(cb, v1alpha1.ReadyCondition)()
	state := strings.Join(append(phasesOf(cb), ready), ", ")
	p.longest = max(p.longest, time.Since(p.changed))
	if len(p.states) > 0 && p.states[len(p.states)-1] == state {
		return ready
	}
	p.states, p.changed = append(p.states, state), time.Now()
	for _, phase := range cb.Status.Phases {
		p.ready = append(p.ready, phase.Ready)
	}
	return ready
}
