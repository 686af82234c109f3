package test

import (
	"bytes"
	"maps"
	"math"
	"net/http"
	"path"
	"slices"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// life is what one process gets done: so many requests of a pass. The next one has
// the fault, and behind it everything is cut.
type life struct {
	requests int
	fault    testenv.Fault

	mu    sync.Mutex
	begun int
}

func (l *life) serve(w http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	l.mu.Lock()
	l.begun++
	begun := l.begun
	l.mu.Unlock()
	switch {
	case begun <= l.requests:
		return false
	case begun == l.requests+1:
		return l.fault(w, r, q)
	}
	return testenv.Cut(w, r, q)
}

// isOver reports whether the life ended before the pass did.
func (l *life) isOver() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun > l.requests
}

// mortal delivers the releases of Calico to a workload cluster by passes of processes
// that die.
type mortal struct {
	*scenario

	workload *testenv.Workload
	seen     *testenv.Proxy
	parent   inventory.Parent
	fault    testenv.Fault
	// lives is how many processes there were.
	lives int
	// reported is true when the test has made Calico's status.
	reported bool
}

// deliver has one process after the other make a pass, until the release is ready.
// The first dies at its first request. One that wrote nothing before it died, and so left
// all as it was, is followed by one that lives for one request more, and one that did by
// one that lives for half as many: it takes about as many reads to get to the next write.
// So the processes die at every single write.
func (m *mortal) deliver(release rollout.Release) {
	m.t.Helper()
	for moved, requests := time.Now(), 0; ; {
		l := &life{requests: requests, fault: m.fault}
		written := m.written()
		err := m.pass(release, l)
		m.lives++
		if m.written() > written {
			moved = time.Now()
		}
		m.Expect(time.Since(moved)).To(BeNumerically("<", patience), "nothing moves: %v", err)
		switch {
		case !l.isOver() && err == nil:
			return
		case l.isOver() && m.written() == written:
			requests++
			continue
		case !l.isOver():
			m.reportOn(err)
		}
		requests /= 2
	}
}

// deliverAtOnce delivers a release by processes that live.
func (m *mortal) deliverAtOnce(release rollout.Release) {
	m.t.Helper()
	m.Eventually(func() error {
		err := m.pass(release, &life{requests: math.MaxInt, fault: m.fault})
		m.reportOn(err)
		return err
	}).Should(Succeed())
}

// reportOn makes Calico's status when a release waits for it.
func (m *mortal) reportOn(err error) {
	m.t.Helper()
	if fault.ReasonOf(err, "") == v1alpha1.ReadyWhenReason && !m.reported {
		m.tigeraStatusAvailable(m.workload)
		m.reported = true
	}
}

// written returns how many writes took effect, also those whose answer was lost.
func (m *mortal) written() int {
	return len(slices.DeleteFunc(m.seen.Writes(), func(r testenv.Request) bool { return r.Status/100 != 2 }))
}

// pass makes one pass of a new process.
func (m *mortal) pass(release rollout.Release, l *life) error {
	m.t.Helper()
	m.seen.SetFault(l.serve)
	defer m.seen.SetFault(nil)
	client, err := workload.NewClient(m.seen.Config)
	m.Expect(err).NotTo(HaveOccurred())
	return rollout.Rollout{
		Cluster: client, Parent: m.parent, Release: release, CRDs: v1alpha1.DeleteCRDPolicy,
		Living: inventory.LivingOf(types.NamespacedName{Namespace: m.namespace, Name: "calico"}),
		Budget: semaphore.NewWeighted(64 << 20), Now: time.Now,
	}.Run(m.t.Context()).Err
}

// releaseFrom plans a release of a Bundle from the files of the web server.
func (s *scenario) releaseFrom(bundle *v1alpha1.Bundle, version string) rollout.Release {
	s.t.Helper()
	blobs := make(map[string][]byte)
	var inputs []plan.Input
	release := rollout.Release{Bundle: s.namespace + "/calico", Version: version, Digest: version}
	listed := bundle.Spec.Releases[slices.IndexFunc(bundle.Spec.Releases, isVersion(version))]
	for _, phase := range listed.Phases {
		input, rules := plan.Input{Name: phase.Name}, rollout.Phase{Timeout: time.Hour}
		for _, source := range phase.Sources {
			var content bytes.Buffer
			index, err := manifest.Build(&content,
				manifest.Objects(s.open(source.HTTPS.URL), source.HTTPS.URL, manifest.DefaultLimits()))
			s.Expect(err).NotTo(HaveOccurred())
			blobs[source.HTTPS.URL] = content.Bytes()
			input.Blobs = append(input.Blobs, plan.Blob{Digest: source.HTTPS.URL, Entries: index.Entries})
		}
		for _, when := range phase.ReadyWhen {
			expression, err := readiness.Compile(when)
			s.Expect(err).NotTo(HaveOccurred())
			rules.ReadyWhen = append(rules.ReadyWhen, expression)
		}
		inputs, release.Phases = append(inputs, input), append(release.Phases, rules)
	}
	var err error
	release.Plan, err = plan.New(inputs, manifest.DefaultLimits())
	s.Expect(err).NotTo(HaveOccurred())
	release.JSON = func(o plan.Object) ([]byte, error) { return blobs[o.Blob][o.Offset : o.Offset+o.Length], nil }
	return release
}

// writes returns how often each object was applied, or deleted, with effect, and which
// were asked for at all.
func (m *mortal) writes(verb string) (effective []string, asked map[string]bool) {
	effective, asked = []string{}, make(map[string]bool)
	for _, r := range m.seen.Writes() {
		if r.Verb != verb {
			continue
		}
		at := path.Join(r.Resource, r.Name)
		asked[at] = true
		if r.Status/100 == 2 {
			effective = append(effective, at)
		}
	}
	slices.Sort(effective)
	return effective, asked
}

// upgrade delivers a release after another, of which before is published, and expects
// that only what differs was written, each once, and that nothing was made anew. It
// returns what is published of the release.
func (m *mortal) upgrade(bundle *v1alpha1.Bundle, before published, to string) published {
	m.t.Helper()
	after := m.publishedBy(bundle, to)
	difference, uids := after.since(before), m.uids(m.workload, before)
	lives, begin := m.lives, time.Now()
	m.seen.Reset()
	m.deliver(m.releaseFrom(bundle, to))
	m.t.Logf("to %s: %d processes made %d requests, %d of them writes, in %v", to, m.lives-lives,
		len(m.seen.Requests()), len(m.seen.Writes()), time.Since(begin).Round(time.Second))

	for verb, want := range map[string][]string{
		"patch": m.pathsOf(m.workload, difference.differs), "delete": m.pathsOf(m.workload, difference.left),
	} {
		effective, asked := m.writes(verb)
		m.Expect(effective).To(Equal(want), "%s: each once", verb)
		m.Expect(slices.Sorted(maps.Keys(asked))).To(ConsistOf(want), "%s: no other was tried", verb)
	}
	kept := m.uids(m.workload, before)
	for _, o := range difference.left {
		delete(uids, o)
	}
	m.Expect(kept).To(Equal(uids), "what stays is the same object, and what left is gone")
	m.isAsPublished(m.workload, m.parent, after)
	return after
}

// leavesAlone expects that one more pass writes nothing.
func (m *mortal) leavesAlone(release rollout.Release) {
	m.t.Helper()
	m.seen.Reset()
	m.deliverAtOnce(release)
	m.Expect(m.seen.Writes()).To(BeEmpty())
}

func TestCalicoIsUpgradedByProcessesThatDieAtEveryRequest(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]testenv.Fault{
		"before it arrives":  testenv.Cut,
		"before it answered": testenv.Lose,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			bundle := s.anyCalico()
			m := &mortal{scenario: s, fault: fault, parent: inventory.ParentOf(s.namespace, "calico")}
			m.workload = testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
			m.seen = testenv.NewProxy(t, m.workload.APIServer)
			delivered := m.upgrade(bundle, nil, calicoChain[0])
			foreign := s.foreignObjects(m.workload, m.parent)
			for _, version := range calicoChain[1:] {
				delivered = m.upgrade(bundle, delivered, version)
			}
			m.leavesAlone(s.releaseFrom(bundle, calicoChain[len(calicoChain)-1]))
			s.areUntouched(m.workload, foreign)
		})
	}
}
