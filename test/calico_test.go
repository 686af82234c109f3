package test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// tigeraStatusAvailable does what Calico's operator does at the end: no image
// runs on a simulated node.
func (s *scenario) tigeraStatusAvailable(w *testenv.Workload) {
	s.t.Helper()
	status := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "operator.tigera.io/v1", "kind": "TigeraStatus", "metadata": map[string]any{"name": "calico"},
		"spec": map[string]any{},
	}}
	s.Expect(w.Client.Create(s.t.Context(), status)).To(Succeed())
	s.Expect(unstructured.SetNestedSlice(status.Object, []any{map[string]any{
		"type": "Available", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z",
	}}, "status", "conditions")).To(Succeed())
	s.Expect(w.Client.Status().Update(s.t.Context(), status)).To(Succeed())
}

const waitsForTigeraStatus = "False ReadyWhenNotMet: phase resources: TigeraStatus calico does not exist"

func TestCalicoArrivesInPhasesOnAWholeCluster(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	bundle := s.catalogue("calico")
	first, second := testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1}), testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
	seen := testenv.NewProxy(t, first.APIServer)
	s.create(bundle)
	s.set("calico", poolOfCluster)
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))

	berlin := s.clusterWithPods("berlin", "10.1.0.0/16", seen)
	s.Eventually(s.ready("calico-berlin")).Should(Equal(waitsForTigeraStatus))

	cb, err := s.clusterBundle("calico-berlin")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(cb.Spec.Version).To(Equal("3.32.1"), "the newest release that fits Kubernetes 1.36")
	s.Expect(phasesOf(cb)).To(Equal([]string{"crds Ready 32/32", "operator Ready 7/7", "resources Waiting 4/4"}))
	s.Expect(cb.Status.Phase).To(Equal("resources 3/3"))
	s.expectOrder(seen)
	for _, r := range seen.Writes() {
		s.Expect(r.Status).To(BeNumerically("<", 300), "no write fails: %s %s", r.Verb, r.Path)
	}

	s.tigeraStatusAvailable(first)
	s.Eventually(s.ready("calico-berlin")).Should(Equal(isReady))
	downloads := s.web.downloads()

	s.clusterWithPods("paris", "10.2.0.0/16", second)
	s.Eventually(s.ready("calico-paris")).Should(Equal(waitsForTigeraStatus))
	s.tigeraStatusAvailable(second)
	s.Eventually(s.ready("calico-paris")).Should(Equal(isReady))
	s.Expect(s.web.downloads()).To(Equal(downloads), "the second Cluster downloads nothing")
	s.Expect(s.poolOf(first)()).To(Equal("10.1.0.0/16"))
	s.Expect(s.poolOf(second)()).To(Equal("10.2.0.0/16"))

	seen.Reset()
	s.change(berlin, func() { berlin.Spec.ClusterNetwork.Pods.CIDRBlocks = []string{"10.3.0.0/16"} })
	s.Eventually(s.poolOf(first)).Should(Equal("10.3.0.0/16"))
	s.Eventually(s.ready("calico-berlin")).Should(Equal(isReady))
	s.Expect(appliesOf(seen)).To(Equal([]string{"installations/default"}), "a changed value applies its object again, and no other")
	s.Expect(s.poolOf(second)()).To(Equal("10.2.0.0/16"))
}

// poolOfCluster has Calico get the addresses of pods from its Cluster.
func poolOfCluster(spec *v1alpha1.ClusterBundleSetSpec) {
	spec.Patches = []v1alpha1.Patch{{
		Name: "ip-pool", Selector: v1alpha1.PatchSelector{APIVersion: "operator.tigera.io/v1", Kind: "Installation", Name: "default"},
		JSONPatches: []v1alpha1.JSONPatch{{
			Op: v1alpha1.ReplacePatchOperation, Path: "/spec/calicoNetwork/ipPools/0/cidr",
			ValueFrom: &v1alpha1.JSONPatchValue{Variable: "builtin.cluster.network.pods[0]"},
		}},
	}}
}

func (s *scenario) clusterWithPods(name, pods string, workload testenv.Connectable) *clusterv1.Cluster {
	s.t.Helper()
	return testenv.NewCluster(s.t, s.management, testenv.ClusterOptions{
		Namespace: s.namespace, Name: name, Labels: optIn("calico"), Workload: workload, Pods: []string{pods},
	})
}

// poolOf returns a function that returns the addresses of the first pool of Calico.
func (s *scenario) poolOf(w *testenv.Workload) func() (string, error) {
	return func() (string, error) {
		installation, err := s.live(w, "operator.tigera.io/v1", "Installation", "", "default")
		if err != nil {
			return "", err
		}
		pools, _, _ := unstructured.NestedSlice(installation.Object, "spec", "calicoNetwork", "ipPools")
		if len(pools) == 0 {
			return "", nil
		}
		cidr, _, err := unstructured.NestedString(pools[0].(map[string]any), "cidr")
		return cidr, err
	}
}

func TestCalicoIsUninstalled(t *testing.T) {
	t.Parallel()
	for policy, wantCRDs := range map[v1alpha1.CRDPolicy]int{v1alpha1.RetainCRDPolicy: 32, v1alpha1.DeleteCRDPolicy: 0} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.NewWorkload(t, testenv.WorkloadOptions{Nodes: 1})
			seen := testenv.NewProxy(t, workload.APIServer)
			s.create(s.catalogue("calico"))
			s.set("calico", uninstalls, func(spec *v1alpha1.ClusterBundleSetSpec) { spec.CRDs = policy })
			cluster := s.cluster("bari", "calico", seen)
			s.Eventually(s.ready("calico-bari")).Should(Equal(waitsForTigeraStatus))
			installed := len(appliesOf(seen))
			seen.Reset()
			s.change(cluster, func() { delete(cluster.Labels, "addon") })
			s.Eventually(s.isGone("calico-bari")).Should(BeTrue())
			s.Expect(s.crds(workload)).To(HaveLen(wantCRDs))
			_, err := s.live(workload, "apps/v1", "Deployment", "tigera-operator", "tigera-operator")
			s.Expect(apierrors.IsNotFound(err)).To(BeTrue())
			var sent, received int64
			for _, r := range seen.Requests() {
				sent, received = sent+r.Sent, received+r.Received
			}
			t.Logf("crds %s: %d objects; %d requests, %d of them writes, %d B sent, %d B received",
				policy, installed, len(seen.Requests()), len(seen.Writes()), sent, received)
		})
	}
}

func TestASourceIsDownloadedOnceForAllClusters(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("once", release("1.0.0",
		phase("first", s.web.publish("first.yaml", good(s))),
		phase("second", s.web.publish("second.yaml", configMap("default", s.namespace+"-2", "x")))))
	s.set("once")
	s.cluster("split", "once", testenv.SharedWorkload(t))
	s.cluster("zadar", "once", testenv.SharedWhole(t))
	s.Eventually(s.ready("once-split")).Should(Equal(isReady))
	s.Eventually(s.ready("once-zadar")).Should(Equal(isReady))
	s.Expect(s.web.downloads()).To(Equal(map[string]int{"/first.yaml": 1, "/second.yaml": 1}))
}

// expectOrder expects that custom resources come last and
// CustomResourceDefinitions first, behind the parent.
func (s *scenario) expectOrder(p *testenv.Proxy) {
	s.t.Helper()
	first := p.Writes()[0]
	s.Expect(first.Verb+" "+first.Resource).To(Equal("create configmaps"), "the parent comes before the first object")
	applies := appliesOf(p)
	rank := func(apply string) int {
		switch {
		case strings.HasPrefix(apply, "customresourcedefinitions/"):
			return 1
		case strings.HasPrefix(apply, "installations/"), strings.HasPrefix(apply, "apiservers/"),
			strings.HasPrefix(apply, "goldmanes/"), strings.HasPrefix(apply, "whiskers/"):
			return 3
		}
		return 2
	}
	s.Expect(applies).To(HaveLen(43), "each object is applied once")
	s.Expect(slices.IsSortedFunc(applies, func(a, b string) int { return rank(a) - rank(b) })).
		To(BeTrue(), "phase by phase: %v", applies)
}

// phasesOf returns the state and the progress of each phase.
func phasesOf(cb *v1alpha1.ClusterBundle) []string {
	var phases []string
	for _, p := range cb.Status.Phases {
		phases = append(phases, fmt.Sprintf("%s %s %d/%d", p.Name, p.State, p.Ready, p.Objects))
	}
	return phases
}
