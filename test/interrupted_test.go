package test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAManagerKilledInTheCRDPhaseFinishesWhenItIsStartedAgain(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir(), Race: true}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
	seen := testenv.NewProxy(t, workload.APIServer)

	// The API server does not respond for the thirteenth CustomResourceDefinition
	// and those after it.
	var reached atomic.Int32
	seen.SetFault(testenv.Only(isCRDApply, func(rw http.ResponseWriter, r *http.Request, q testenv.Request) bool {
		if reached.Add(1) <= 12 {
			return false
		}
		return testenv.Hang(rw, r, q)
	}))
	bundle := s.catalogue("calico")
	s.create(bundle)
	s.set("calico")
	s.cluster("oslo", "calico", seen)
	s.Eventually(reached.Load).Should(BeNumerically(">", 12))
	manager.Kill()

	// What was applied still gets its status, by the API server itself.
	s.Eventually(func() bool { return s.allEstablished(workload) }).Should(BeTrue())
	before := s.crds(workload)
	s.Expect(before).NotTo(BeEmpty())
	s.Expect(len(before)).To(BeNumerically("<", 32), "it was killed in the middle")
	seen.SetFault(nil)
	seen.Reset()
	downloads := s.web.downloads()

	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.manager.Kill)
	s.Eventually(s.ready("calico-oslo")).Should(Equal(waitsForTigeraStatus))
	s.tigeraStatusAvailable(workload)
	s.Eventually(s.ready("calico-oslo")).Should(Equal(isReady))

	s.Expect(s.crds(workload)).To(HaveLen(32))
	for _, crd := range before {
		s.Expect(appliesOf(seen)).NotTo(ContainElement("customresourcedefinitions/"+crd.Name), "nothing of it changed")
	}
	s.Expect(s.web.downloads()).To(Equal(downloads), "what is on the disk is not downloaded again")

	// A manager that starts and finds all done sends nothing.
	s.manager.Kill()
	seen.Reset()
	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.manager.Kill)
	s.Eventually(func() int { return seen.Count("list", "configmaps") }).Should(BeNumerically(">", 0), "it looks at the parent")
	s.Eventually(func() int { return seen.Count("watch", "deployments") }).Should(BeNumerically(">", 0), "and watches")
	s.Expect(seen.Writes()).To(BeEmpty())
}

func isCRDApply(r testenv.Request) bool {
	return r.Verb == "patch" && r.Resource == "customresourcedefinitions"
}

// allEstablished reports whether every CustomResourceDefinition is established.
func (s *scenario) allEstablished(w *testenv.Workload) bool {
	s.t.Helper()
	return !slices.ContainsFunc(s.crds(w), func(crd apiextensionsv1.CustomResourceDefinition) bool {
		return !slices.ContainsFunc(crd.Status.Conditions, func(c apiextensionsv1.CustomResourceDefinitionCondition) bool {
			return c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue
		})
	})
}

func (s *scenario) crds(w *testenv.Workload) []apiextensionsv1.CustomResourceDefinition {
	s.t.Helper()
	list := &apiextensionsv1.CustomResourceDefinitionList{}
	s.Expect(w.Client.List(s.t.Context(), list)).To(Succeed())
	return list.Items
}

func TestAnAPIServerThatGoesAwayInTheMiddleOfAPhaseIsTakenUpAgain(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	seen := testenv.NewProxy(t, workload.APIServer)
	var aborted atomic.Int32
	seen.SetFault(testenv.Only(
		func(r testenv.Request) bool { return r.Verb == "patch" && strings.HasPrefix(r.Name, s.namespace) },
		func(rw http.ResponseWriter, r *http.Request, q testenv.Request) bool {
			if aborted.Add(1) < 3 {
				return false
			}
			return testenv.Cut(rw, r, q)
		}))
	var manifests []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		manifests = append(manifests, configMap("default", s.namespace+"-"+name, "x"))
	}
	s.bundle("cut", release("1.0.0", phase("all", inline(documents(manifests...)))))
	s.set("cut")
	s.cluster("rome", "cut", seen)
	s.Eventually(s.ready("cut-rome")).Should(MatchRegexp("False ApplyFailed: phase all: ConfigMap default/.*connection to the API server"))

	// Another Cluster is not held up by this one.
	s.cluster("bern", "cut", testenv.SharedWorkload(t))
	s.Eventually(s.ready("cut-bern")).Should(Equal(isReady))

	workload.StopAPIServer()
	seen.SetFault(nil)
	s.Expect(workload.StartAPIServer(t.Context())).To(Succeed())
	s.Eventually(s.ready("cut-rome")).Should(Equal(isReady))
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		_, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace+"-"+name)
		s.Expect(err).NotTo(HaveOccurred())
	}
}

func TestAServerThatThrottlesIsLeftAloneAndThenServed(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	seen := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	var refused atomic.Int32
	seen.SetFault(testenv.Only(
		func(r testenv.Request) bool { return r.Verb == "patch" && refused.Load() < 2 },
		func(rw http.ResponseWriter, r *http.Request, q testenv.Request) bool {
			refused.Add(1)
			return testenv.Answer(http.StatusTooManyRequests, 1)(rw, r, q)
		}))
	s.bundle("busy", release("1.0.0", phase("all", inline(good(s)))))
	s.set("busy")
	s.cluster("nantes", "busy", seen)
	s.Eventually(s.ready("busy-nantes")).Should(Equal(isReady))
	s.Expect(refused.Load()).To(Equal(int32(2)))
}

func TestAMissingOrWrongKubeconfigIsNamed(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("lost", release("1.0.0", phase("all", inline(good(s)))))
	s.set("lost")
	wrong, missing := s.cluster("narvik", "nobody", testenv.SharedWorkload(t)), s.cluster("malmo", "nobody", testenv.SharedWorkload(t))
	secret := s.kubeconfigSecret("narvik")
	secret.Data["value"] = []byte("no kubeconfig: hunter2")
	s.Expect(s.management.Client.Update(t.Context(), secret)).To(Succeed())
	s.Expect(s.management.Client.Delete(t.Context(), s.kubeconfigSecret("malmo"))).To(Succeed())

	s.change(wrong, func() { wrong.Labels = optIn("lost") })
	s.change(missing, func() { missing.Labels = optIn("lost") })
	s.Eventually(s.ready("lost-narvik")).Should(MatchRegexp(
		`False ClusterNotConnected: .*Secret narvik-kubeconfig has no kubeconfig in its key "value"`))
	s.Eventually(s.ready("lost-malmo")).Should(MatchRegexp(
		"False ClusterNotConnected: .*Secret malmo-kubeconfig does not exist"))
	s.Expect(s.manager.Log()).NotTo(ContainSubstring("hunter2"))
}

func TestACRDWhoseNamesAreTakenIsNamed(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	theirs := &apiextensionsv1.CustomResourceDefinition{}
	s.decode(crd("clash.example.org", "gadgets", "Widget"), theirs)
	s.Expect(workload.Client.Create(t.Context(), theirs)).To(Succeed())

	s.bundle("clash", release("1.0.0",
		phase("crds", inline(crd("clash.example.org", "widgets", "Widget"))),
		phase("resources", inline("apiVersion: clash.example.org/v1\nkind: Widget\nmetadata: {name: one}\n"))))
	s.set("clash")
	s.cluster("graz", "clash", workload)
	s.Eventually(s.ready("clash-graz")).Should(MatchRegexp(
		"False CRDNamesConflict: phase crds: .*widgets.clash.example.org.*already in use"))
	s.Expect(s.state(s.named("clash-graz"), v1alpha1.StalledCondition)()).To(HavePrefix("True"))

	// When the other one has been deleted the rollout continues without help.
	s.Expect(workload.Client.Delete(t.Context(), theirs)).To(Succeed())
	s.Eventually(s.ready("clash-graz")).Should(Equal(isReady))
}

func TestAKindThatNobodyServesIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	s.bundle("monitor", release("1.0.0", phase("all",
		inline("apiVersion: late.example.org/v1\nkind: Monitor\nmetadata: {name: one}\n"))))
	s.set("monitor")
	s.cluster("turku", "monitor", workload)
	s.Eventually(s.ready("monitor-turku")).Should(MatchRegexp(
		"False KindNotServed: phase all: Monitor one: .*does not serve.*late.example.org/v1"))

	late := &apiextensionsv1.CustomResourceDefinition{}
	s.decode(crd("late.example.org", "monitors", "Monitor"), late)
	s.Expect(workload.Client.Create(t.Context(), late)).To(Succeed())
	s.Eventually(s.ready("monitor-turku")).Should(Equal(isReady))
}

func TestAPhaseThatTakesTooLongIsStalledAndStillFinishes(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	slow := phase("slow", inline(good(s)))
	slow.Timeout = seconds(1)
	slow.ReadyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: s.namespace},
		Expression: "self.data.value == 'late'",
	}}
	s.bundle("slow", release("1.0.0", slow))
	s.set("slow")
	s.cluster("ghent", "slow", workload)
	s.Eventually(s.ready("slow-ghent")).Should(MatchRegexp(
		"False PhaseTimeout: phase slow: not ready after 1s: ConfigMap default/.* is false"))
	s.Expect(s.state(s.named("slow-ghent"), v1alpha1.StalledCondition)()).To(HavePrefix("True"))

	live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	live.Object["data"] = map[string]any{"value": "late"}
	s.Expect(workload.Client.Update(t.Context(), live)).To(Succeed())
	s.Eventually(s.ready("slow-ghent")).Should(Equal(isReady), "the watch on the object brings it back")
}

func TestAnObjectThatTheServerRefusesIsNamedWithWhatItSaid(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("invalid", release("1.0.0", phase("all", inline(documents(good(s),
		"apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: "+s.namespace+"}\nspec: {ports: [{port: 99999}]}\n")))))
	s.set("invalid")
	s.cluster("lodz", "invalid", testenv.SharedWorkload(t))
	s.Eventually(s.ready("invalid-lodz")).Should(MatchRegexp(
		"False ObjectInvalid: phase all: Service default/.*: HTTP 422 Invalid: .*99999"))
	cb, err := s.clusterBundle("invalid-lodz")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(phasesOf(cb)).To(Equal([]string{"all Applying 1/2"}))
	s.Eventually(s.events("invalid-lodz")).Should(ContainElement("Warning ObjectInvalid"))
}
