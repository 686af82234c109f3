package test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAChoiceThatFailsIsReportedAndTouchesNothing(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	r := newRegistry(s)
	r.push("agent", "v1", layer{yamlLayer, "", good(s)})
	s.bundle("agent", release("1.0.0", phase("all", r.source("agent", func(src *v1alpha1.OCISource) { src.Tag = "v1" }))))
	set := s.set("agent")
	s.cluster("trier", "agent", workload)
	upToDate := s.state(s.named("agent-trier"), v1alpha1.UpToDateCondition)
	s.Eventually(s.ready("agent-trier")).Should(Equal(isReady))
	s.Eventually(upToDate).Should(HavePrefix("True"))
	ofSet := s.state(set, v1alpha1.ReadyCondition)
	s.Eventually(ofSet).Should(HavePrefix("True"))

	// The tag moves to what cannot be read as manifests.
	r.push("agent", "v1", layer{yamlLayer, "", "kind: ["})
	s.Eventually(upToDate).Should(MatchRegexp("False ManifestInvalid: release 1.0.0 stays: .*/agent, document 1"))
	s.Eventually(ofSet).Should(MatchRegexp(
		"False NotUpToDate: 1 of 1 Clusters do not get the release that they should have: trier: release 1.0.0 stays: "))
	s.Expect(s.ready("agent-trier")()).To(Equal(isReady), "what was delivered stays")
	s.Expect(s.agentIs(workload)()).To(Equal(map[string]any{"value": "good"}))
	s.Expect(*set.Status.Failed).To(BeEquivalentTo(1))

	// And on to what can be.
	r.push("agent", "v1", layer{yamlLayer, "", configMap("default", s.namespace, "better")})
	s.Eventually(s.agentIs(workload)).Should(Equal(map[string]any{"value": "better"}))
	s.Eventually(upToDate).Should(HavePrefix("True"))
	s.Eventually(ofSet).Should(HavePrefix("True"))

	// No release fits the new constraint.
	s.change(set, func() { set.Spec.Bundle.Version = "~2" })
	s.Eventually(upToDate).Should(MatchRegexp("False NoReleaseFits: release 1.0.0 stays: no release satisfies"))
	s.Expect(s.ready("agent-trier")()).To(Equal(isReady))
}

func TestAnApplyOnceThatIsPinnedToABrokenReleaseIsMended(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	refused := "apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: " + s.namespace +
		"}\nspec: {ports: [{port: 99999}]}\n"
	bundle := s.bundle("once", release("1.0.0", phase("all", inline(refused))))
	s.set("once", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Strategy = v1alpha1.ApplyOnceStrategy })
	s.cluster("worms", "once", workload)
	s.Eventually(s.ready("once-worms")).Should(ContainSubstring("HTTP 422"))

	s.change(bundle, func() { bundle.Spec.Releases = []v1alpha1.Release{release("1.0.1", phase("all", inline(good(s))))} })
	s.Eventually(s.ready("once-worms")).Should(Equal(isReady))

	// From here on it is applied once.
	s.change(bundle, func() {
		bundle.Spec.Releases = []v1alpha1.Release{release("1.0.2", phase("all", inline(configMap("default", s.namespace, "newer"))))}
	})
	s.Consistently(s.agentIs(workload), "2s").Should(Equal(map[string]any{"value": "good"}))
	s.Expect(s.ready("once-worms")()).To(Equal(isReady))
}

func TestWhatWentWhileAClusterWasPausedIsFollowedWhenItIsUnpaused(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	cluster := s.cluster("speyer", "label", testenv.SharedWorkload(t))
	sets := map[string]*v1alpha1.ClusterBundleSet{}
	for _, name := range []string{"label", "set"} {
		s.bundle(name, release("1.0.0", phase("all", inline(configMap("default", s.namespace+name, "x")))))
		sets[name] = s.set(name, func(spec *v1alpha1.ClusterBundleSetSpec) {
			spec.ClusterSelector.MatchLabels = map[string]string{name: "yes"}
		})
	}
	s.change(cluster, func() { cluster.Labels = map[string]string{"label": "yes", "set": "yes"} })
	for name, set := range sets {
		s.Eventually(s.ready(name + "-speyer")).Should(Equal(isReady))
		// The set counts after its ClusterBundle is Ready, and what is paused is counted too.
		s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(Equal("True Ready: 1 Clusters are ready"))
	}
	s.change(cluster, func() { cluster.Spec.Paused = new(true) })
	for name, set := range sets {
		s.Eventually(s.state(s.named(name+"-speyer"), v1alpha1.PausedCondition)).Should(
			Equal("True Paused: Cluster spec.paused is set to true"))
		s.Expect(s.state(set, v1alpha1.ReadyCondition)()).To(Equal("True Ready: 1 Clusters are ready"))
	}
	s.change(cluster, func() { delete(cluster.Labels, "label") })
	s.Expect(s.management.Client.Delete(t.Context(), sets["set"])).To(Succeed())
	for name := range sets {
		s.Consistently(s.ready(name+"-speyer"), "500ms").Should(Equal(isReady))
	}
	s.change(cluster, func() { cluster.Spec.Paused = new(false) })
	for name := range sets {
		s.Eventually(s.ready(name + "-speyer")).Should(ContainSubstring("not found"))
	}
}
