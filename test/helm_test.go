package test

import (
	"fmt"
	"maps"
	"os"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

const chartLayer = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

// helmChart packs a chart with a CRD, a custom resource of its kind and a
// ConfigMap that shows how it was rendered.
func (s *scenario) helmChart(extra map[string]string) string {
	s.t.Helper()
	files := map[string]string{
		"agent/Chart.yaml":       "apiVersion: v2\nname: agent\nversion: 1.2.3\nkubeVersion: '>=1.30.0-0'\n",
		"agent/values.yaml":      "greeting: default\nname: unset\n",
		"agent/crds/agents.yaml": crd("helm.example.org", "agents", "Agent"),
		"agent/templates/agent.yaml": "apiVersion: helm.example.org/v1\nkind: Agent\n" +
			"metadata: {name: {{ .Values.name }} }\n",
		"agent/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Values.name }}, " +
			"namespace: {{ .Release.Namespace }} }\ndata:\n  value: {{ .Values.greeting }} from {{ .Release.Name }} " +
			"on {{ .Capabilities.KubeVersion.Minor }}\n",
	}
	maps.Copy(files, extra)
	return s.tarball(files)
}

func (s *scenario) helmSource(chart string, change ...func(*v1alpha1.HelmSource)) v1alpha1.Source {
	src := &v1alpha1.HelmSource{
		Chart: chart, Version: "1.2.3", ReleaseName: "mine", Namespace: "default",
		Values: &runtime.RawExtension{Raw: []byte(`{"name":"` + s.namespace + `"}`)},
	}
	for _, c := range change {
		c(src)
	}
	return v1alpha1.Source{Helm: src}
}

// withDigest gives a chart its digest, which it needs without TLS.
func withDigest(d digest.Digest) func(*v1alpha1.HelmSource) {
	return func(src *v1alpha1.HelmSource) { src.Digest = v1alpha1.Digest(d) }
}

func TestAChartIsRenderedForTheClusterWhereverItIsPublished(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(s *scenario) v1alpha1.Source
	}{
		"in a registry": {func(s *scenario) v1alpha1.Source {
			r := newRegistry(s)
			r.push("charts/agent", "1.2.3", layer{chartLayer, "", s.helmChart(nil)})
			return s.helmSource("oci://" + r.repository("charts/agent"))
		}},
		"in a chart repository": {func(s *scenario) v1alpha1.Source {
			chart := s.helmChart(nil)
			s.web.publish("charts/agent-1.2.3.tgz", chart)
			s.web.publish("charts/index.yaml", fmt.Sprintf("apiVersion: v1\nentries:\n  agent:\n  - version: 1.2.3\n"+
				"    urls: [agent-1.2.3.tgz]\n    digest: %s\n", digest.FromString(chart).Encoded()))
			return s.helmSource(s.web.URL+"/charts/agent", withDigest(digest.FromString(chart)))
		}},
		"as an archive at a URL": {func(s *scenario) v1alpha1.Source {
			published := s.web.publish("agent-1.2.3.tgz", s.helmChart(nil))
			return s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) { src.Digest = published.HTTPS.Digest })
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
			s.create(&corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "values"},
				Data:       map[string]string{"values.yaml": "greeting: hello\nname: overridden\n"},
			})
			src := tc.given(s)
			src.Helm.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "ConfigMap", Name: "values"}}
			s.bundle("chart", release("1.2.3", phase("all", src)))
			s.set("chart")
			s.cluster("faro", "chart", workload)
			s.Eventually(s.ready("chart-faro")).Should(Equal(isReady))
			live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(live.Object["data"]).To(HaveKeyWithValue("value", "hello from mine on 36"))
			_, err = s.live(workload, "helm.example.org/v1", "Agent", "", s.namespace)
			s.Expect(err).NotTo(HaveOccurred(), "the custom resource comes behind its CRD")
		})
	}
}

// TestAChartFindsTheKindsOfAnEarlierPhase has a chart with what it makes only where the
// kinds of another phase are served.
func TestAChartFindsTheKindsOfAnEarlierPhase(t *testing.T) {
	t.Parallel()
	const given = "testdata/asks-what-is-served/"
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	crds, err := os.ReadFile(given + "crds.yaml")
	s.Expect(err).NotTo(HaveOccurred())
	files := map[string]string{}
	for _, name := range []string{"Chart.yaml", "templates/all.yaml"} {
		content, err := os.ReadFile(given + "chart/" + name)
		s.Expect(err).NotTo(HaveOccurred())
		files["probe/"+name] = string(content)
	}
	published := s.web.publish("probe-0.1.0.tgz", s.tarball(files))
	s.bundle("probe", release("1.0.0", phase("kinds", inline(string(crds))), phase("chart",
		s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) { src.Digest = published.HTTPS.Digest }))))
	s.set("probe")
	s.cluster("ghent", "probe", workload)
	s.Eventually(s.ready("probe-ghent")).Should(Equal(isReady))
	for apiVersion, kind := range map[string]string{
		"monitoring.coreos.com/v1": "ServiceMonitor", "cert-manager.io/v1": "Certificate",
	} {
		_, err := s.live(workload, apiVersion, kind, "default", "probe")
		s.Expect(err).NotTo(HaveOccurred(), kind)
	}
}

func TestTheNamespaceOfAChartIsMadeIfTheSourceSaysSo(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	published := s.web.publish("agent-1.2.3.tgz", s.tarball(map[string]string{
		"agent/Chart.yaml":            "apiVersion: v2\nname: agent\nversion: 1.2.3\n",
		"agent/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: agent}\n",
	}))
	there, missing := testenv.NewNamespace(t, workload.APIServer), s.namespace+"-missing"
	labelled := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: there}}
	s.Expect(workload.Client.Get(t.Context(), client.ObjectKeyFromObject(labelled), labelled)).To(Succeed())
	labelled.Labels["team"] = "theirs"
	s.Expect(workload.Client.Update(t.Context(), labelled)).To(Succeed())
	in := func(namespace string) v1alpha1.Source {
		return s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) {
			src.Digest, src.Namespace = published.HTTPS.Digest, namespace
		})
	}
	bundle := s.bundle("spaces", release("1.2.3", phase("all", in(there), in(missing))))
	s.set("spaces")
	s.cluster("brugge", "spaces", workload)
	s.Eventually(s.ready("spaces-brugge")).Should(And(HavePrefix("False ApplyFailed: "), ContainSubstring(
		`namespaces "`+missing+`" not found: add the Namespace as a source, or set createNamespace on the helm source`)))

	s.change(bundle, func() {
		for i := range bundle.Spec.Releases[0].Phases[0].Sources {
			bundle.Spec.Releases[0].Phases[0].Sources[i].Helm.CreateNamespace = new(true)
		}
	})
	s.Eventually(s.ready("spaces-brugge")).Should(Equal(isReady))
	made, err := s.live(workload, "v1", "Namespace", "", missing)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(made.GetLabels()).To(HaveKey("applyset.kubernetes.io/part-of"))
	before := labelled.ResourceVersion
	s.Expect(workload.Client.Get(t.Context(), client.ObjectKeyFromObject(labelled), labelled)).To(Succeed())
	s.Expect(labelled.ResourceVersion).To(Equal(before), "what is there stays as it is")
}
