package test

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// dependsOn is a set that depends on others.
func dependsOn(sets ...string) func(*v1alpha1.ClusterBundleSetSpec) {
	return func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.DependsOn = nil
		for _, set := range sets {
			spec.DependsOn = append(spec.DependsOn, v1alpha1.SetReference{Name: set})
		}
	}
}

// gated is a release whose only phase is ready when the gate in the workload
// cluster, a ConfigMap, is open for the version.
func (s *scenario) gated(version string) v1alpha1.Release {
	operator := phase("operator", inline(configMap("default", s.namespace+"-cni", version)))
	operator.ReadyWhen = []v1alpha1.ReadyWhen{{
		Object:     v1alpha1.ObjectReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: s.namespace + "-gate"},
		Expression: fmt.Sprintf("self.data.value == %q", version),
	}}
	return release(version, operator)
}

// openGate opens the gate for a version.
func (s *scenario) openGate(w *testenv.Workload, version string) {
	s.t.Helper()
	gate := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace + "-gate"}}
	gate.Data = map[string]string{"value": version}
	err := w.Client.Create(s.t.Context(), gate)
	if client.IgnoreAlreadyExists(err) == nil && err != nil {
		err = w.Client.Update(s.t.Context(), gate)
	}
	s.Expect(err).NotTo(HaveOccurred())
}

func TestASetBeginsWhenTheOneThatItDependsOnIsCompleteOnTheCluster(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	logging := s.bundle("logging", release("1.0.0", phase("all", inline(configMap("default", s.namespace+"-logging", "one")))))
	cni := s.bundle("cni", s.gated("1.0.0"))
	s.set("cni")
	s.set("logging", dependsOn("cni"), func(spec *v1alpha1.ClusterBundleSetSpec) { spec.ClusterSelector.MatchLabels = optIn("cni") })
	s.cluster("lyon", "cni", seen)

	s.Eventually(s.ready("logging-lyon")).Should(Equal(
		"False DependencyNotReady: waits for ClusterBundleSet cni, which is at phase operator of release 1.0.0"))
	// The parent of cni tells the phase before its first object is written.
	s.Eventually(func() []string { return s.writesIn(seen) }).Should(Equal([]string{"create parent", "patch cni"}),
		"nothing of logging is written, not even its parent")
	s.Eventually(func() bool {
		return slices.ContainsFunc(seen.Requests(), func(r testenv.Request) bool {
			return r.Verb == "watch" && r.Resource == "configmaps" && strings.Contains(r.Query, url.QueryEscape(inventory.IDLabel))
		})
	}).Should(BeTrue(), "the parents are watched")

	// Nothing but the watch tells logging that the gate of cni has opened.
	s.openGate(workload, "1.0.0")
	s.Eventually(s.ready("cni-lyon")).Should(Equal(isReady))
	s.Eventually(s.ready("logging-lyon")).Should(Equal(isReady))
	s.Expect(s.writesIn(seen)).To(Equal([]string{
		"create parent", "patch cni", "update parent cni", "create parent", "patch logging", "update parent logging",
	}), "the parent of cni is written as complete before anything of logging")

	// An upgrade of cni that does not get done keeps nobody from the repair of logging.
	s.change(cni, func() { cni.Spec.Releases = []v1alpha1.Release{s.gated("2.0.0")} })
	s.Eventually(s.ready("cni-lyon")).Should(HavePrefix("False ReadyWhenNotMet"))
	written := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace + "-logging"}}
	s.Expect(workload.Client.Delete(t.Context(), written)).To(Succeed())
	s.Eventually(func() error {
		_, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace+"-logging")
		return err
	}).Should(Succeed())
	s.Expect(s.ready("cni-lyon")()).To(HavePrefix("False ReadyWhenNotMet"))
	s.Expect(s.ready("logging-lyon")()).To(Equal(isReady))

	// The next release of logging waits for it.
	s.change(logging, func() {
		logging.Spec.Releases = []v1alpha1.Release{
			release("2.0.0", phase("all", inline(configMap("default", s.namespace+"-logging", "two"))))}
	})
	s.Eventually(s.ready("logging-lyon")).Should(Equal(
		"False DependencyNotReady: waits for ClusterBundleSet cni, which is at phase operator of release 2.0.0"))
	s.openGate(workload, "2.0.0")
	s.Eventually(s.ready("logging-lyon")).Should(Equal(isReady))
	live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace+"-logging")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(live.Object["data"]).To(HaveKeyWithValue("value", "two"))
}

// writesIn returns the writes of the sets of the namespace that a proxy saw, in order.
func (s *scenario) writesIn(p *testenv.Proxy) []string {
	short := strings.NewReplacer("caapb."+s.namespace+".", "parent ", s.namespace+"-", "")
	var writes []string
	for _, r := range p.Writes() {
		writes = append(writes, r.Verb+" "+cmp.Or(short.Replace(r.Name), "parent"))
	}
	return writes
}

func TestSetsThatWaitForEachOtherSaySo(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	for _, name := range []string{"cni", "logging", "apps"} {
		s.bundle(name, release("1.0.0", phase("all", inline(good(s)))))
	}
	cni, logging, apps := s.set("cni"), s.set("logging", dependsOn("cni")), s.set("apps", dependsOn("logging", "cni"))
	s.Eventually(s.state(logging, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))
	s.Eventually(s.state(apps, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))

	s.change(cni, func() { dependsOn("logging")(&cni.Spec) })
	const cycle = "True DependencyCycle: the sets wait for each other: cni -> logging -> cni"
	s.Eventually(s.state(cni, v1alpha1.StalledCondition)).Should(Equal(cycle))
	s.Eventually(s.state(logging, v1alpha1.StalledCondition)).Should(Equal(cycle), "it did not change itself")
	s.Expect(s.state(apps, v1alpha1.StalledCondition)()).To(HavePrefix("False"), "it only depends on them")

	s.change(cni, func() { dependsOn("nobody")(&cni.Spec) })
	s.Eventually(s.state(cni, v1alpha1.ReadyCondition)).Should(Equal(
		"False DependencyNotReady: depends on ClusterBundleSet nobody, which does not exist"))
	s.Eventually(s.state(logging, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))
}

func TestASetCannotDependOnItself(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	set := &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "cni"},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: optIn("cni")}, Bundle: v1alpha1.BundleSelector{Name: "cni"},
			DependsOn: []v1alpha1.SetReference{{Name: "cni"}},
		},
	}
	s.Expect(s.management.Client.Create(t.Context(), set)).To(MatchError(ContainSubstring("a set cannot depend on itself")))
	set.Spec.DependsOn[0].Name = "dns"
	s.Expect(s.management.Client.Create(t.Context(), set)).To(Succeed())
}
