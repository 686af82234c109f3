package test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestValuesOfAChartComeFromTheCluster has a chart that needs the address of the API
// server, as Cilium does without kube-proxy.
func TestValuesOfAChartComeFromTheCluster(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	published := s.web.publish("agent.tgz", s.tarball(map[string]string{
		"agent/Chart.yaml":  "apiVersion: v2\nname: agent\nversion: 1.2.3\n",
		"agent/values.yaml": "k8sServiceHost: none\nk8sServicePort: 0\n",
		"agent/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }} }\n" +
			"data: {value: '{{ .Values.k8sServiceHost }}:{{ .Values.k8sServicePort }}'}\n",
		"agent/templates/b.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}-b }\ndata: {value: same}\n",
	}))
	s.bundle("agent", release("1.0.0", phase("all", s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) {
		src.Digest = published.HTTPS.Digest
	}))))
	value := func(path, variable string) v1alpha1.JSONPatch {
		return v1alpha1.JSONPatch{Op: v1alpha1.AddPatchOperation, Path: path, ValueFrom: &v1alpha1.JSONPatchValue{Variable: variable}}
	}
	set := s.set("agent", func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.Patches = []v1alpha1.Patch{{
			Name: "api-server", Selector: v1alpha1.PatchSelector{HelmRelease: "mine"}, JSONPatches: []v1alpha1.JSONPatch{
				value("/k8sServiceHost", "controlPlaneEndpoint.host"), value("/k8sServicePort", "controlPlaneEndpoint.port"),
			},
		}}
	})
	seen := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	cluster := s.cluster("oslo", "agent", seen)
	s.Eventually(s.ready("agent-oslo")).Should(Equal(isReady))
	delivered := func() (any, error) {
		live, err := s.live(testenv.SharedWorkload(t), "v1", "ConfigMap", "default", s.namespace)
		if err != nil {
			return nil, err
		}
		return live.Object["data"], nil
	}
	s.change(cluster, func() {})
	endpoint := cluster.Spec.ControlPlaneEndpoint
	s.Expect(delivered()).To(HaveKeyWithValue("value", endpoint.String()))
	cb, err := s.clusterBundle("agent-oslo")
	s.Expect(err).NotTo(HaveOccurred())

	seen.Reset()
	s.change(cluster, func() { cluster.Spec.ControlPlaneEndpoint.Host = "api.example.com" })
	s.Eventually(delivered).Should(HaveKeyWithValue("value", cluster.Spec.ControlPlaneEndpoint.String()))
	s.Eventually(s.ready("agent-oslo")).Should(Equal(isReady))
	s.Expect(appliesOf(seen)).To(Equal([]string{"configmaps/" + s.namespace}))
	after, err := s.clusterBundle("agent-oslo")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(after.Spec.Digest).To(Equal(cb.Spec.Digest), "the digest of the release is that of all Clusters")
	s.Expect(s.web.downloads()).To(Equal(map[string]int{"/agent.tgz": 1}))

	seen.Reset()
	s.change(set, func() { set.Spec.Patches[0].JSONPatches[0].ValueFrom.Variable = "nothing" })
	s.Eventually(s.ready("agent-oslo")).Should(Equal("False PatchFailed: patch api-server: " +
		`jsonPatches[0] (/k8sServiceHost): the Cluster has no variable nothing: "nothing" is missing`))
	s.Expect(appliesOf(seen)).To(BeEmpty())
}
