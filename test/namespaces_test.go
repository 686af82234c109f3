package test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestSetsOfOtherNamespacesDeliverABundleThatAllowsThem(t *testing.T) {
	t.Parallel()
	platform, team := newScenario(t), newScenario(t)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team.namespace}}
	customer := map[string]string{"customer-of": platform.namespace}
	content := func(value string) v1alpha1.Phase {
		return phase("all", inline(configMap("default", team.namespace, value)))
	}
	bundle := platform.bundle("shared", release("1.0.0", content("one")))
	team.set("shared", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Bundle.Namespace = platform.namespace })
	workload := testenv.SharedWorkload(t)
	team.cluster("ulm", "shared", workload)
	value := func() any {
		live, err := team.live(workload, "v1", "ConfigMap", "default", team.namespace)
		if err != nil {
			return err
		}
		return live.Object["data"].(map[string]any)["value"]
	}

	hidden := "False BundleNotFound: Bundle " + platform.namespace + "/shared does not exist, " +
		"or its allowedNamespaces does not select namespace " + team.namespace
	team.Eventually(team.ready("shared-ulm")).Should(Equal(hidden), "the Bundle allows nobody")
	platform.change(bundle, func() { bundle.Spec.AllowedNamespaces = &metav1.LabelSelector{MatchLabels: customer} })
	team.change(namespace, func() { namespace.Labels["customer-of"] = platform.namespace })
	team.Eventually(team.ready("shared-ulm")).Should(Equal(isReady))
	team.Expect(value()).To(Equal("one"))

	team.change(namespace, func() { delete(namespace.Labels, "customer-of") })
	team.Eventually(team.ready("shared-ulm")).Should(Equal(hidden), "the Namespace lost the label")
	platform.change(bundle, func() { bundle.Spec.Releases = append(bundle.Spec.Releases, release("1.1.0", content("two"))) })
	platform.Eventually(func() []v1alpha1.ReleaseStatus {
		platform.Expect(platform.state(bundle, v1alpha1.ReadyCondition)()).NotTo(BeEmpty())
		return bundle.Status.Releases
	}).Should(HaveLen(2))
	cb, err := team.clusterBundle("shared-ulm")
	team.Expect(err).NotTo(HaveOccurred())
	team.Expect(cb.Spec.Version).To(Equal("1.0.0"), "what is not allowed is not delivered")
	team.Expect(value()).To(Equal("one"), "what is there stays")

	team.change(namespace, func() { namespace.Labels["customer-of"] = platform.namespace })
	team.Eventually(value).Should(Equal("two"))
	team.Eventually(team.ready("shared-ulm")).Should(Equal(isReady))
}
