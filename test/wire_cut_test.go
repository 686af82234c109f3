package test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// contentAnnotation is on the objects of an operator's releases. Its value differs
// between two releases where the object does.
const contentAnnotation = "content"

// operatorOne and operatorTwo are two releases of an operator: its
// CustomResourceDefinitions, the operator, and objects of its kinds, all named
// after id. In the second the Deployment and a ConfigMap have changed, the Widget c
// has come and the Widget b has gone.
func operatorOne(id string) v1alpha1.Release {
	return operator(id, "1.0.0", "one", widget(id, "a", "same"), widget(id, "b", "same"))
}

func operatorTwo(id string) v1alpha1.Release {
	return operator(id, "2.0.0", "two", widget(id, "a", "same"), widget(id, "c", "same"))
}

func operator(id, version, content string, instances ...string) v1alpha1.Release {
	group := groupOf(id)
	same := fmt.Sprintf("metadata: {name: %s, namespace: %s, annotations: {content: same}}\n", id, id)
	return release(version,
		phase("crds", inline(documents(crd(group, "widgets", "Widget"), crd(group, "gadgets", "Gadget")))),
		phase("operator", inline(documents(
			namespaceNamed(id),
			"apiVersion: v1\nkind: ServiceAccount\n"+same,
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n"+same+"rules: []\n",
			"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\n"+same+
				"roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "+id+"}\n",
			"apiVersion: v1\nkind: Service\n"+same+"spec: {selector: {app: operator}, ports: [{port: 443}]}\n",
			fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %[1]s, annotations: {content: %s}}\n", id, content),
			fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: %[1]s, annotations: {content: %s}}
spec:
  replicas: 0
  selector: {matchLabels: {app: operator}}
  template:
    metadata: {labels: {app: operator}}
    spec: {containers: [{name: operator, image: "registry.example.com/operator:%[2]s"}]}
`, id, content)))),
		phase("resources", inline(documents(append(instances,
			"apiVersion: "+group+"/v1\nkind: Gadget\n"+same)...))),
	)
}

func groupOf(id string) string { return id + ".example.com" }

func widget(id, name, content string) string {
	return fmt.Sprintf("apiVersion: %s/v1\nkind: Widget\nmetadata: {name: %s, annotations: {content: %s}}\n",
		groupOf(id), name, content)
}

// operatorKinds are the kinds of an operator's objects, with their resources.
func operatorKinds(id string) map[string]schema.GroupVersionKind {
	return map[string]schema.GroupVersionKind{
		"customresourcedefinitions": {Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
		"namespaces":                {Version: "v1", Kind: "Namespace"},
		"serviceaccounts":           {Version: "v1", Kind: "ServiceAccount"},
		"services":                  {Version: "v1", Kind: "Service"},
		"configmaps":                {Version: "v1", Kind: "ConfigMap"},
		"clusterroles":              {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRole"},
		"clusterrolebindings":       {Group: "rbac.authorization.k8s.io", Version: "v1", Kind: "ClusterRoleBinding"},
		"deployments":               {Group: "apps", Version: "v1", Kind: "Deployment"},
		"widgets":                   {Group: groupOf(id), Version: "v1", Kind: "Widget"},
		"gadgets":                   {Group: groupOf(id), Version: "v1", Kind: "Gadget"},
	}
}

// members returns the content of all members of the inventory of a set in a
// workload cluster, by resource and name.
func (s *scenario) members(w *testenv.Workload, set, id string) map[string]string {
	s.t.Helper()
	found := make(map[string]string)
	for resource, kind := range operatorKinds(id) {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		s.Expect(w.Client.List(s.t.Context(), list,
			client.MatchingLabels{inventory.PartOfLabel: inventory.ParentOf(s.namespace, set).ID()})).To(Succeed())
		for _, object := range list.Items {
			found[resource+"/"+object.Name] = object.Annotations[contentAnnotation]
		}
	}
	return found
}

// operatorContent is what members returns once the second release has replaced the
// first. What only the first has is gone.
func operatorContent(id string) map[string]string {
	return map[string]string{
		"customresourcedefinitions/widgets." + groupOf(id): "", "customresourcedefinitions/gadgets." + groupOf(id): "",
		"namespaces/" + id: "", "serviceaccounts/" + id: "same", "clusterroles/" + id: "same",
		"clusterrolebindings/" + id: "same", "services/" + id: "same",
		"configmaps/" + id: "two", "deployments/" + id: "two",
		"widgets/a": "same", "widgets/c": "same", "gadgets/" + id: "same",
	}
}

// handOverApplies is how often each object is applied, install and hand-over
// together: what changed twice, and all else once.
func handOverApplies(id string) map[string]int {
	applies := map[string]int{"widgets/b": 1}
	for object, content := range operatorContent(id) {
		applies[object] = 1
		if content == "two" {
			applies[object] = 2
		}
	}
	return applies
}

// tookEffect counts the server-side applies that an API server took, also those
// whose answer was lost.
func tookEffect(p *testenv.Proxy) map[string]int {
	applies := make(map[string]int)
	for _, r := range p.Requests() {
		if r.Verb == "patch" && r.Status/100 == 2 {
			applies[r.Resource+"/"+r.Name]++
		}
	}
	return applies
}

// isOfPass reports whether a request is one that a pass or its watches make, and
// not one of the connection itself.
func isOfPass(r testenv.Request) bool {
	return r.Resource != "" || strings.HasSuffix(r.Path, ".example.com/v1")
}

// nthRequest is a fault of the n-th request of passes, or of those that count.
type nthRequest struct {
	n      int
	fault  testenv.Fault
	counts func(testenv.Request) bool

	mu   sync.Mutex
	seen int
}

func (f *nthRequest) serve(w http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	if !isOfPass(q) || f.counts != nil && !f.counts(q) {
		return false
	}
	f.mu.Lock()
	f.seen++
	hit := f.seen == f.n
	f.mu.Unlock()
	return hit && f.fault(w, r, q)
}

// count returns how many requests of passes there were.
func (f *nthRequest) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// loseUnlessWatch is testenv.Lose. A watch has no effect: its answer is its events.
func loseUnlessWatch(w http.ResponseWriter, r *http.Request, q testenv.Request) bool {
	if q.Verb == "watch" {
		return testenv.Cut(w, r, q)
	}
	return testenv.Lose(w, r, q)
}

// cutRun is one set on one Cluster, one request of which fails.
type cutRun struct {
	// id is in the names of its objects, and set is its set.
	id, set string

	fault  *nthRequest
	seen   *testenv.Proxy
	bundle *v1alpha1.Bundle
}

// install begins the install of the first release on a Cluster of its own.
func (s *scenario) install(w *testenv.Workload, n int, how cut) *cutRun {
	s.t.Helper()
	id := fmt.Sprintf("%s-%d", s.namespace, n)
	run := &cutRun{id: id, fault: &nthRequest{n: n, fault: how.fault, counts: how.counts}, seen: testenv.NewProxy(s.t, w.APIServer)}
	run.seen.SetFault(run.fault.serve)
	run.set = fmt.Sprintf("set-%d", n)
	run.bundle = s.bundle(run.set, operatorOne(id))
	s.set(run.set)
	s.cluster(fmt.Sprintf("cluster-%d", n), run.set, run.seen)
	return run
}

// undelivered returns a function that returns which of so many ClusterBundles have
// not delivered the version yet.
func (s *scenario) undelivered(version string, of int) func() []string {
	return func() []string {
		list := &v1alpha1.ClusterBundleList{}
		if err := s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace)); err != nil {
			return []string{err.Error()}
		}
		var late []string
		if len(list.Items) != of {
			late = append(late, fmt.Sprintf("there are %d ClusterBundles", len(list.Items)))
		}
		for _, cb := range list.Items {
			ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
			if cb.Spec.Version != version || cb.Status.ObservedGeneration != cb.Generation || ready == nil || ready.Status != metav1.ConditionTrue {
				late = append(late, fmt.Sprintf("%s %s: %v", cb.Name, cb.Spec.Version, ready))
			}
		}
		return late
	}
}

// handOver waits until the runs are installed, and hands them over to the second
// release.
func (s *scenario) handOver(runs ...*cutRun) {
	s.t.Helper()
	s.Eventually(s.undelivered("1.0.0", len(runs))).Should(BeEmpty())
	for _, run := range runs {
		s.change(run.bundle, func() {
			run.bundle.Spec.Releases = []v1alpha1.Release{operatorTwo(run.id), operatorOne(run.id)}
		})
	}
	s.Eventually(s.undelivered("2.0.0", len(runs))).Should(BeEmpty())
}

// wantHandedOver checks what a run has left and what it took.
func (s *scenario) wantHandedOver(w *testenv.Workload, run *cutRun) {
	s.t.Helper()
	if diff := cmp.Diff(operatorContent(run.id), s.members(w, run.set, run.id)); diff != "" {
		s.t.Errorf("request %d: content (-want +got):\n%s", run.fault.n, diff)
	}
	if diff := cmp.Diff(handOverApplies(run.id), tookEffect(run.seen)); diff != "" {
		s.t.Errorf("request %d: applies (-want +got):\n%s%s", run.fault.n, diff, requestLines(run.seen))
	}
}

// requestLines returns what a proxy has seen of passes, for people.
func requestLines(p *testenv.Proxy) string {
	var lines []string
	for _, r := range p.Requests() {
		if isOfPass(r) {
			lines = append(lines, fmt.Sprintf("%3d %s %s?%s", r.Status, r.Verb, r.Path, r.Query))
		}
	}
	return strings.Join(lines, "\n")
}

// end removes what a scenario has made, so that others get the machine.
func (s *scenario) end(w *testenv.Workload, runs ...*cutRun) {
	s.t.Helper()
	for _, run := range runs {
		for _, plural := range []string{"widgets", "gadgets"} {
			crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: plural + "." + groupOf(run.id)}}
			s.Expect(w.Client.Delete(s.t.Context(), crd)).To(Succeed())
		}
	}
	inNamespace := client.InNamespace(s.namespace)
	s.Expect(s.management.Client.DeleteAllOf(s.t.Context(), &v1alpha1.ClusterBundleSet{}, inNamespace)).To(Succeed())
	s.Expect(s.management.Client.DeleteAllOf(s.t.Context(), &clusterv1.Cluster{}, inNamespace)).To(Succeed())
}

// cut is what happens to one request of an install and a hand-over, and to which.
type cut struct {
	fault  testenv.Fault
	counts func(testenv.Request) bool
	// times is how many there are.
	times int
}

// TestAPassThatIsCutAtAnyRequestConverges has every single request of passes fail,
// through the install of a release and the hand-over to the next.
func TestAPassThatIsCutAtAnyRequestConverges(t *testing.T) {
	t.Parallel()
	requests, writes := uncut(t)
	// When nothing fails there are some more, that ask whether kinds are served.
	requests = min(requests, 54)
	for name, how := range map[string]cut{
		"its connection is cut": {testenv.Cut, nil, requests},
		// A read whose answer is lost is one that was cut.
		"its answer is lost":       {testenv.Lose, testenv.Request.IsWrite, writes},
		"the server has a problem": {testenv.Answer(http.StatusInternalServerError, 0), nil, requests},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScenario(t)
			workload := testenv.SharedWhole(t)
			runs := make([]*cutRun, how.times)
			for n := range runs {
				runs[n] = s.install(workload, n+1, how)
			}
			s.handOver(runs...)
			for _, run := range runs {
				s.wantHandedOver(workload, run)
			}
			s.end(workload, runs...)
		})
	}
}

// uncut returns how many requests passes make when none fails, and how many of them
// write.
func uncut(t *testing.T) (requests, writes int) {
	t.Helper()
	s := newScenario(t)
	workload := testenv.SharedWhole(t)
	run := s.install(workload, 0, cut{})
	s.handOver(run)
	s.wantHandedOver(workload, run)
	s.end(workload, run)
	requests, writes = run.fault.count(), len(run.seen.Writes())
	s.Expect(requests).To(BeNumerically(">", 30), "it is an install and a hand-over: "+requestLines(run.seen))
	s.Expect(writes).To(BeNumerically(">", 15), "it is an install and a hand-over: "+requestLines(run.seen))
	return requests, writes
}
