package test

import (
	"fmt"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// namespaceNamed is the manifest of a Namespace.
func namespaceNamed(name string) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n"
}

func TestTwoAddOnsWithOneNamespaceAreBothReady(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	ns := s.namespace + "-monitoring"
	s.bundle("first", release("1.0.0", phase("all", inline(documents(namespaceNamed(ns), configMap(ns, "first", "1"))))))
	s.bundle("second", release("1.0.0", phase("all", inline(documents(namespaceNamed(ns), configMap(ns, "second", "2"))))))
	s.set("first")
	cluster := s.cluster("lima", "first", workload)
	s.Eventually(s.ready("first-lima")).Should(Equal(isReady))
	s.set("second", selectedLike(cluster.Labels))
	s.Eventually(s.ready("second-lima")).Should(Equal(isReady))
	s.Consistently(s.ready("first-lima"), "500ms").Should(Equal(isReady))
	for _, name := range []string{"first", "second"} {
		_, err := s.live(workload, "v1", "ConfigMap", ns, name)
		s.Expect(err).NotTo(HaveOccurred())
	}
}

func TestTwoSetsWithOneEqualObjectShareIt(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	group := s.namespace + ".example.com"
	shared := crd(group, "widgets", "Widget")
	s.bundle("first", release("1.0.0", phase("all", inline(shared))))
	s.bundle("second", release("1.0.0", phase("all", inline(documents(shared, good(s))))))
	s.set("first")
	cluster := s.cluster("cusco", "first", workload)
	s.Eventually(s.ready("first-cusco")).Should(Equal(isReady))
	s.set("second", selectedLike(cluster.Labels))
	s.Eventually(s.ready("second-cusco")).Should(Equal(isReady))
	s.Expect(s.ready("first-cusco")()).To(Equal(isReady))
}

// selectedLike has a set select the Clusters with the labels.
func selectedLike(labels map[string]string) func(*v1alpha1.ClusterBundleSetSpec) {
	return func(spec *v1alpha1.ClusterBundleSetSpec) { spec.ClusterSelector.MatchLabels = labels }
}

// relay is a Service and a Deployment as their upstream publishes them.
func relay(name, labels, port, env string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: default, labels: {%[2]s}}
spec:
  selector: {app: relay}
  ports: [{name: metrics, port: %[3]s, targetPort: %[3]s}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s, namespace: default}
spec:
  replicas: 0
  selector: {matchLabels: {app: relay}}
  template:
    metadata: {labels: {app: relay}}
    spec:
      containers: [{name: relay, image: "registry.example.com/relay:1", env: [%[4]s]}]
`, name, labels, port, env)
}

func TestWhatOtherClientsAppliedBecomesTheNewVersion(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*scenario, *testenv.Workload, *unstructured.Unstructured){
		"by a ClusterResourceSet": func(s *scenario, w *testenv.Workload, u *unstructured.Unstructured) {
			s.Expect(w.Client.Create(s.t.Context(), u, client.FieldOwner("manager"))).To(Succeed())
		},
		"by kubectl apply": func(s *scenario, w *testenv.Workload, u *unstructured.Unstructured) {
			s.Expect(w.Client.Create(s.t.Context(), u, client.FieldOwner("kubectl-client-side-apply"))).To(Succeed())
		},
		"by kubectl apply --server-side": func(s *scenario, w *testenv.Workload, u *unstructured.Unstructured) {
			applied := client.ApplyConfigurationFromUnstructured(u)
			s.Expect(w.Client.Apply(s.t.Context(), applied, client.FieldOwner("kubectl"))).To(Succeed())
		},
	}
	for name, apply := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			// The gate of the Deployment needs a controller.
			workload := testenv.SharedWhole(t)
			name := s.namespace
			before := relay(name, "stage: old", "9402", `{name: LEGACY_MODE, value: "true"}, {name: LEVEL, value: info}`)
			for manifest := range strings.SplitSeq(before, "---\n") {
				object := &unstructured.Unstructured{}
				s.Expect(yaml.Unmarshal([]byte(manifest), object)).To(Succeed())
				apply(s, workload, object)
			}
			s.bundle("relay", release("1.1.0", phase("all", inline(relay(name, "", "9403", "{name: LEVEL, value: info}")))))
			s.set("relay")
			s.cluster("pisco", "relay", workload)
			s.Eventually(s.ready("relay-pisco")).Should(Equal(isReady))

			service, err := s.live(workload, "v1", "Service", "default", name)
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(service.GetLabels()).NotTo(HaveKey("stage"))
			ports, _, _ := unstructured.NestedSlice(service.Object, "spec", "ports")
			s.Expect(ports).To(HaveLen(1))
			s.Expect(ports[0]).To(HaveKeyWithValue("port", BeNumerically("==", 9403)))
			deployment, err := s.live(workload, "apps/v1", "Deployment", "default", name)
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(fmt.Sprint(deployment.Object["spec"])).NotTo(ContainSubstring("LEGACY_MODE"))
		})
	}
}

// agentIs returns what a ConfigMap of the workload cluster holds.
func (s *scenario) agentIs(w *testenv.Workload) func() any {
	return func() any {
		live, err := s.live(w, "v1", "ConfigMap", "default", s.namespace)
		if err != nil {
			return err
		}
		return live.Object["data"]
	}
}

func TestAClusterThatChangesItsSetIsTakenOverInPlace(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	s.bundle("agent", release("1.0.0", phase("all", inline(configMap("default", s.namespace, "one")))),
		release("2.0.0", phase("all", inline(configMap("default", s.namespace, "two")))))
	for ring, version := range map[string]string{"stable": "~1", "canary": "~2"} {
		s.set(ring, func(spec *v1alpha1.ClusterBundleSetSpec) {
			spec.Bundle = v1alpha1.BundleSelector{Name: "agent", Version: version}
		})
	}
	cluster := s.cluster("tacna", "stable", workload)
	s.Eventually(s.ready("stable-tacna")).Should(Equal(isReady))
	before, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())

	s.change(cluster, func() { cluster.Labels = optIn("canary") })
	s.Eventually(s.ready("canary-tacna")).Should(Equal(isReady))
	s.Eventually(s.agentIs(workload)).Should(Equal(map[string]any{"value": "two"}))
	after, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(after.GetUID()).To(Equal(before.GetUID()), "it was taken over and not made anew")
	s.Expect(s.managersOf(after)).To(Equal([]string{"caapb." + s.namespace + ".canary"}))
}

// managersOf returns the field managers of an object.
func (s *scenario) managersOf(object *unstructured.Unstructured) []string {
	var managers []string
	for _, entry := range object.GetManagedFields() {
		managers = append(managers, entry.Manager)
	}
	return managers
}

func TestASetThatWasRenamedOrMadeAgainTakesOverWhatWasItsOwn(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]string{"renamed": "relay-new", "made again": "relay"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.SharedWorkload(t)
			s.bundle("relay", release("1.0.0", phase("all", inline(good(s)))))
			set := s.set("relay")
			cluster := s.cluster("arica", "relay", workload)
			s.Eventually(s.ready("relay-arica")).Should(Equal(isReady))
			s.Expect(s.management.Client.Delete(t.Context(), set)).To(Succeed())
			s.Eventually(s.ready("relay-arica")).Should(ContainSubstring("not found"))

			s.create(&v1alpha1.ClusterBundleSet{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: again},
				Spec: v1alpha1.ClusterBundleSetSpec{
					ClusterSelector: metav1.LabelSelector{MatchLabels: cluster.Labels},
					Bundle:          v1alpha1.BundleSelector{Name: "relay"},
				},
			})
			s.Eventually(s.ready(again + "-arica")).Should(Equal(isReady))
			live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(s.managersOf(live)).To(Equal([]string{"caapb." + s.namespace + "." + again}))
		})
	}
}

func TestObjectsThatWereRemovedComeBackWhenTheClusterIsSelectedAgain(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	s.bundle("again", release("1.0.0", phase("all", inline(good(s)))))
	s.set("again")
	cluster := s.cluster("ica", "again", workload)
	s.Eventually(s.ready("again-ica")).Should(Equal(isReady))
	s.change(cluster, func() { cluster.Labels = nil })
	s.Eventually(s.ready("again-ica")).Should(ContainSubstring("not found"))
	removed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace}}
	s.Expect(workload.Client.Delete(t.Context(), removed)).To(Succeed())

	s.change(cluster, func() { cluster.Labels = optIn("again") })
	s.Eventually(s.ready("again-ica")).Should(Equal(isReady))
	s.Eventually(s.agentIs(workload)).Should(Equal(map[string]any{"value": "good"}))
}
