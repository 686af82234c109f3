package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const (
	// slowness is how long each request of a slow workload cluster is under way.
	slowness = 100 * time.Millisecond

	// stillness is how long nothing may be written: longer than a pass of its own.
	stillness = 3 * time.Second
)

// slowCluster is a fault of a workload cluster that is slow. When the n-th request
// of passes arrives, something happens in the management cluster. It and those that
// arrive meanwhile have no answer until the manager has seen what happened.
type slowCluster struct {
	n       int
	happens func(context.Context) error // and the manager saw it
	over    chan struct{}               // closed when it has happened
	mu      sync.Mutex
	seen    int
	err     error
	late    []string // the writes that arrived afterwards
}

func (f *slowCluster) serve(_ http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	if isOfPass(q) && f.arrived(q) {
		select {
		case <-f.over:
		case <-r.Context().Done():
			return true
		}
	}
	delay := time.NewTimer(slowness)
	defer delay.Stop()
	select {
	case <-delay.C:
		return false
	case <-r.Context().Done():
		return true
	}
}

// arrived notes a request, has it happen if it is the n-th, and reports whether the
// request has to wait for that.
func (f *slowCluster) arrived(q testenv.Request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen++
	if f.seen == f.n {
		go f.happen()
	}
	if f.isOver() && q.IsWrite() {
		f.late = append(f.late, q.Verb+" "+q.Path)
	}
	return f.seen >= f.n
}

// happen has it happen, and waits as long again as that took: what the manager was about
// to send before it saw it has arrived then, however slow the machine is.
func (f *slowCluster) happen() {
	ctx, cancel := context.WithTimeout(context.Background(), patience) // it outlives the request
	defer cancel()
	begun := time.Now()
	err := f.happens(ctx)
	<-time.After(time.Since(begun))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
	close(f.over)
}

func (f *slowCluster) isOver() bool {
	select {
	case <-f.over:
		return true
	default:
		return false
	}
}

// state returns whether it has happened, or an error, and the writes that arrived
// afterwards.
func (f *slowCluster) state() (over bool, late []string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.isOver(), slices.Clone(f.late), f.err
}

// sawCluster waits until the manager has seen what happened to Clusters before: the
// events of a kind come in their order, and it acts on a Cluster that is made now.
func (s *scenario) sawCluster(ctx context.Context, name string) error {
	_, err := s.management.AddCluster(ctx, testenv.ClusterOptions{Namespace: s.namespace, Name: name, Labels: optIn("witness")})
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		key := client.ObjectKey{Namespace: s.namespace, Name: "witness-" + name}
		err := s.management.Client.Get(ctx, key, &v1alpha1.ClusterBundle{})
		return err == nil, client.IgnoreNotFound(err)
	})
}

// sawSet does so for sets.
func (s *scenario) sawSet(ctx context.Context, name string) error {
	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	set.Spec.ClusterSelector.MatchLabels = optIn("nobody")
	set.Spec.Bundle.Name = "witness"
	if err := s.management.Client.Create(ctx, set); err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := s.management.Client.Get(ctx, client.ObjectKeyFromObject(set), set)
		return len(set.Status.Conditions) > 0, err
	})
}

// stoppedRun is one set on one slow Cluster, the install of which is stopped.
type stoppedRun struct {
	what    string // stops it
	id, set string
	slow    *slowCluster
	seen    *testenv.Proxy
	cluster *clusterv1.Cluster
}

// stops are what ends an install. Each returns when the manager has seen it, as another
// Cluster or set shows, in the namespace of the witness.
func (s *scenario) stops(run *stoppedRun, witness *scenario) map[string]func(context.Context) error {
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: run.set}}
	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: run.set}}
	ofCluster := func(ctx context.Context, err error) error { return errors.Join(err, witness.sawCluster(ctx, run.set)) }
	ofSet := func(ctx context.Context, err error) error { return errors.Join(err, witness.sawSet(ctx, run.set)) }
	return map[string]func(context.Context) error{
		"paused": func(ctx context.Context) error {
			return ofCluster(ctx, s.management.Client.Patch(ctx, cluster, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"paused":true}}`))))
		},
		"held by its set": func(ctx context.Context) error { return ofSet(ctx, s.annotateSet(ctx, run.set, `"true"`)) },
		"without its set": func(ctx context.Context) error { return ofSet(ctx, s.management.Client.Delete(ctx, set)) },
		"deleted":         func(ctx context.Context) error { return ofCluster(ctx, s.management.Client.Delete(ctx, cluster)) },
	}
}

// annotateSet gives a set the annotation that pauses it, or, with null, takes it away.
func (s *scenario) annotateSet(ctx context.Context, name, paused string) error {
	set := &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	return s.management.Client.Patch(ctx, set, client.RawPatch(types.MergePatchType,
		[]byte(`{"metadata":{"annotations":{"`+clusterv1.PausedAnnotation+`":`+paused+`}}}`)))
}

// isPaused reports whether the install goes on when what stops it ends.
func (r *stoppedRun) isPaused() bool { return r.what == "paused" || r.what == "held by its set" }

// goOn ends what stops the install.
func (s *scenario) goOn(run *stoppedRun) {
	s.t.Helper()
	if run.what == "paused" {
		s.change(run.cluster, func() { run.cluster.Spec.Paused = new(false) })
		return
	}
	s.Expect(s.annotateSet(s.t.Context(), run.set, "null")).To(Succeed())
}

// installUntil begins an install that is stopped by what when its n-th request arrives.
func (s *scenario) installUntil(w *testenv.Workload, witness *scenario, n int, what string) *stoppedRun {
	s.t.Helper()
	run := &stoppedRun{
		what: what, id: fmt.Sprintf("%s-%s-%d", s.namespace, what[:1], n), set: fmt.Sprintf("%s-%d", what[:1], n),
		slow: &slowCluster{n: n, over: make(chan struct{})}, seen: testenv.NewProxy(s.t, w.APIServer),
	}
	run.slow.happens = s.stops(run, witness)[what]
	run.seen.SetFault(run.slow.serve)
	s.bundle(run.set, operatorOne(run.id))
	s.set(run.set)
	run.cluster = s.cluster(run.set, run.set, run.seen)
	return run
}

func TestNothingIsWrittenOnceAnInstallMustStop(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWhole(t)
	witness := newScenario(t)
	witness.bundle("witness", release("1.0.0", phase("all", inline(configMap("default", witness.namespace, "one")))))
	witness.set("witness")
	const requests = 21 // of an install, at least
	var runs []*stoppedRun
	for n := 1; n <= requests; n++ {
		runs = append(runs, s.installUntil(workload, witness, n, "paused"))
		if n%3 == 0 {
			runs = append(runs, s.installUntil(workload, witness, n, "deleted"),
				s.installUntil(workload, witness, n-1, "without its set"), s.installUntil(workload, witness, n-2, "held by its set"))
		}
	}
	s.Eventually(func() []string { return s.notStopped(runs) }).Should(BeEmpty())
	s.Consistently(func() error {
		var errs []error
		for _, run := range runs {
			_, late, err := run.slow.state()
			if len(late) > 0 {
				err = fmt.Errorf("writes after the manager saw it: %v\n%s", late, requestLines(run.seen))
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("the Cluster is %s at request %d: %w", run.what, run.slow.n, err))
			}
		}
		return errors.Join(errs...)
	}, stillness, "100ms").Should(Succeed())

	paused := slices.DeleteFunc(runs, func(run *stoppedRun) bool { return !run.isPaused() })
	for _, run := range paused {
		s.goOn(run)
	}
	s.Eventually(s.undelivered("1.0.0", len(paused))).Should(BeEmpty())
	for _, run := range paused {
		s.wantInstalled(workload, run)
	}
}

// notStopped returns the runs that are not stopped yet.
func (s *scenario) notStopped(runs []*stoppedRun) []string {
	s.t.Helper()
	var late []string
	for _, run := range runs {
		over, _, err := run.slow.state()
		cb, gone := s.clusterBundle(run.set + "-" + run.set)
		says := apierrors.IsNotFound(gone)
		if run.isPaused() {
			says = meta.IsStatusConditionTrue(cb.Status.Conditions, v1alpha1.PausedCondition)
		}
		if err != nil || !over || !says {
			late = append(late, fmt.Sprintf("%s %d: %v", run.what, run.slow.n, err))
		}
	}
	return late
}

// wantInstalled checks that a run has installed the first release, each object at
// most once.
func (s *scenario) wantInstalled(w *testenv.Workload, run *stoppedRun) {
	s.t.Helper()
	want := operatorContent(run.id)
	delete(want, "widgets/c")
	want[ofFirst] = "same"
	want["configmaps/"+run.id], want["deployments/"+run.id] = "one", "one"
	s.Expect(s.members(w, run.set, run.id)).To(Equal(want), "%s at request %d", run.what, run.slow.n)
	for object, times := range tookEffect(run.seen) {
		s.Expect(times).To(Equal(1), "%s at request %d: applies of %s\n%s", run.what, run.slow.n, object, requestLines(run.seen))
	}
}

// heldWrites is a fault that keeps the writes of passes from the n-th request on.
// Their client never gets an answer. Sent later, they are what a manager that lost
// its Cluster still had under way.
type heldWrites struct {
	n    int
	mu   sync.Mutex
	seen int
	held []*http.Request
}

func (f *heldWrites) serve(w http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	if !isOfPass(q) {
		return false
	}
	f.mu.Lock()
	f.seen++
	holds := f.seen >= f.n && q.IsWrite()
	f.mu.Unlock()
	if !holds {
		return false
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return testenv.Cut(w, r, q)
	}
	late := r.Clone(context.Background()) // it outlives its client
	late.Body, late.RequestURI = io.NopCloser(bytes.NewReader(body)), ""
	f.mu.Lock()
	f.held = append(f.held, late)
	f.mu.Unlock()
	return testenv.Hang(w, r, q)
}

// count returns how many writes are held.
func (f *heldWrites) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.held)
}

// letGo sends the writes, and returns the status of each answer.
func (f *heldWrites) letGo(s *scenario, w *testenv.Workload) map[string]int {
	s.t.Helper()
	c, err := rest.HTTPClientFor(w.Config)
	s.Expect(err).NotTo(HaveOccurred())
	server, err := url.Parse(w.Config.Host)
	s.Expect(err).NotTo(HaveOccurred())
	answers := make(map[string]int)
	for _, request := range f.held {
		request.URL.Scheme, request.URL.Host, request.Host = server.Scheme, server.Host, ""
		answer, err := c.Do(request)
		s.Expect(err).NotTo(HaveOccurred())
		answers[request.Method+" "+request.URL.Path] = answer.StatusCode
		_ = answer.Body.Close() // Nothing is lost: the status is all that it is for.
	}
	return answers
}

// secondManager returns a scenario of another manager in another management
// cluster, in the namespace of the same name.
func (s *scenario) secondManager() *scenario {
	s.t.Helper()
	management := testenv.NewManagement(s.t, testenv.ManagementOptions{})
	manager, err := testenv.StartManager(s.t.Context(), testenv.ManagerOptions{
		Management: management, CacheDir: s.t.TempDir(), Race: true,
	})
	s.Expect(err).NotTo(HaveOccurred())
	s.t.Cleanup(manager.Kill)
	second := scenarioWith(s.t, management, manager)
	second.namespace = s.namespace
	second.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
	return second
}

func TestASecondManagerLeavesItsReleaseAndNoOther(t *testing.T) {
	t.Parallel()
	first := newScenario(t)
	second := first.secondManager()
	workload := testenv.SharedWhole(t)
	type run struct {
		id, set string
		held    *heldWrites
		cluster *clusterv1.Cluster
	}
	var runs []run
	// Each request of an install may be the last that comes through in time.
	for n := 1; n <= 21; n += 2 {
		set := fmt.Sprintf("set-%d", n)
		id := first.namespace + "-" + set
		seen := testenv.NewProxy(t, workload.APIServer)
		held := &heldWrites{n: n}
		seen.SetFault(held.serve)
		first.bundle(set, operatorOne(id))
		first.set(set)
		runs = append(runs, run{id: id, set: set, held: held, cluster: first.cluster(set, set, seen)})
	}
	for _, r := range runs {
		first.Eventually(r.held.count).Should(BeNumerically(">", 0), "writes of %s are under way", r.set)
		first.change(r.cluster, func() { r.cluster.Spec.Paused = new(true) })
	}
	for _, r := range runs {
		first.Eventually(first.state(first.named(r.set+"-"+r.set), v1alpha1.PausedCondition)).Should(HavePrefix("True Paused"))
		second.bundle(r.set, operatorTwo(r.id))
		second.set(r.set)
		second.cluster(r.set, r.set, workload)
	}
	second.Eventually(second.undelivered("2.0.0", len(runs))).Should(BeEmpty())
	applied := make(map[string]map[string]string)
	overwritten := 0
	for _, r := range runs {
		applied[r.set] = second.sums(workload, r.id)
		for write, status := range r.held.letGo(second, workload) {
			if strings.Contains(write, "/configmaps/caapb.") || strings.HasSuffix(write, "/configmaps") {
				second.Expect(status).To(Equal(http.StatusConflict), write)
				continue
			}
			second.Expect(status/100).To(Equal(2), write)
			overwritten++
		}
	}
	second.Expect(overwritten).To(BeNumerically(">", len(runs)))
	// The second manager looks again a minute after it was done.
	for _, r := range runs {
		second.Eventually(func() map[string]string { return second.sums(workload, r.id) }).Should(Equal(applied[r.set]), r.set)
		content := second.members(workload, r.set, r.id)
		delete(content, ofFirst) // A write of the first manager may have come behind the pruning.
		second.Expect(content).To(Equal(operatorContent(r.id)), r.set)
	}
}

// ofFirst is the object of an operator that only its first release has.
const ofFirst = "widgets/b"

// sums returns the annotation of what was applied of each object of the second
// release of an operator.
func (s *scenario) sums(w *testenv.Workload, id string) map[string]string {
	s.t.Helper()
	sums := make(map[string]string)
	for object := range operatorContent(id) {
		if object == ofFirst {
			continue
		}
		resource, name, _ := strings.Cut(object, "/")
		live := &metav1.PartialObjectMetadata{}
		live.SetGroupVersionKind(operatorKinds(id)[resource])
		key := client.ObjectKey{Name: name}
		if namespacedKinds[resource] {
			key.Namespace = id
		}
		err := w.Client.Get(s.t.Context(), key, live)
		s.Expect(client.IgnoreNotFound(err)).To(Succeed())
		if err == nil {
			sums[object] = live.Annotations[inventory.SHA256Annotation]
		}
	}
	return sums
}

var namespacedKinds = map[string]bool{
	"serviceaccounts": true, "services": true, "configmaps": true, "deployments": true,
}

// TestWhatIsCompleteStaysReadyThroughARestart restarts a manager whose cache is
// gone, while the web server that the content came from is away.
func TestWhatIsCompleteStaysReadyThroughARestart(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	start := func() *testenv.Manager {
		manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
			Management: management, CacheDir: t.TempDir(), Race: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(manager.Kill)
		return manager
	}
	s := scenarioWith(t, management, start())
	workload := testenv.SharedWorkload(t)
	tests := map[string]struct {
		givenStrategy v1alpha1.Strategy
		happens       func(*v1alpha1.Bundle) // before the restart
	}{
		"kept": {v1alpha1.ReconcileStrategy, func(*v1alpha1.Bundle) {}},
		"once": {v1alpha1.ApplyOnceStrategy, func(*v1alpha1.Bundle) {}},
		"gone": {v1alpha1.ApplyOnceStrategy, func(bundle *v1alpha1.Bundle) {
			s.Expect(s.management.Client.Delete(t.Context(), bundle)).To(Succeed())
		}},
	}
	seen := make(map[string]*testenv.Proxy)
	before := make(map[string]metav1.Condition)
	for name, tc := range tests {
		content := configMap("default", s.namespace+"-"+name, name)
		bundle := s.bundle(name, release("1.0.0", phase("all", s.web.publish(name, content))))
		s.set(name, func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Strategy = tc.givenStrategy })
		seen[name] = testenv.NewProxy(t, workload.APIServer)
		s.cluster(name, name, seen[name])
		s.Eventually(s.ready(name + "-" + name)).Should(Equal(isReady))
		before[name] = s.readyCondition(name + "-" + name)
		looked := parentReads(seen[name])
		tc.happens(bundle)
		if name == "gone" {
			s.Eventually(func() int { return parentReads(seen[name]) }).Should(BeNumerically(">", looked), "it is looked at without its Bundle")
			s.Consistently(s.ready(name+"-"+name), "500ms").Should(Equal(isReady))
		}
		s.web.handle("/"+name, func(rw http.ResponseWriter, _ *http.Request) {
			http.Error(rw, "away", http.StatusServiceUnavailable)
		})
	}

	s.manager.Kill()
	for name := range tests {
		seen[name].Reset()
	}
	asked := s.web.downloads()["/kept"]
	s.manager = start()
	for name := range tests {
		s.Eventually(func() int { return parentReads(seen[name]) }).Should(BeNumerically(">", 0), name)
	}
	s.Eventually(func() int { return s.web.downloads()["/kept"] }).Should(BeNumerically(">", asked), "its cache is empty")
	for name := range tests {
		s.Consistently(func() metav1.Condition { return s.readyCondition(name + "-" + name) }, "500ms").Should(Equal(before[name]), name)
		s.Expect(seen[name].Writes()).To(BeEmpty(), name)
	}
}

// parentReads counts how often a proxy saw the parent of an inventory read, as a list of
// its name.
func parentReads(p *testenv.Proxy) int {
	n := 0
	for _, r := range p.Requests() {
		if readsParentOf(r) {
			n++
		}
	}
	return n
}

func readsParentOf(r testenv.Request) bool {
	return r.Verb == "list" && r.Resource == "configmaps" && strings.HasPrefix(r.Name, "caapb.")
}

// readyCondition returns the condition Ready of a ClusterBundle: also since when it
// has been so.
func (s *scenario) readyCondition(name string) metav1.Condition {
	s.t.Helper()
	cb, err := s.clusterBundle(name)
	s.Expect(err).NotTo(HaveOccurred())
	ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
	s.Expect(ready).NotTo(BeNil())
	return *ready
}
