package test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// randomChart is a source of a chart that makes certificates and passwords, with an
// image to list.
func (s *scenario) randomChart() v1alpha1.Source {
	s.t.Helper()
	published := s.web.publish("random.tgz", s.tarball(map[string]string{
		"random/Chart.yaml": "apiVersion: v2\nname: random\nversion: 1.2.3\n",
		"random/templates/secret.yaml": `{{ $ca := genCA "webhook" 365 }}
apiVersion: v1
kind: Secret
metadata: {name: {{ .Values.name }}}
stringData:
  ca: {{ $ca.Cert | quote }}
  cert: {{ (genSignedCert "webhook" nil (list "webhook.default.svc") 365 $ca).Cert | quote }}
  word: {{ randAlphaNum 24 | quote }}
`,
		"random/templates/cronjob.yaml": `apiVersion: batch/v1
kind: CronJob
metadata: {name: {{ .Values.name }}}
spec:
  suspend: true
  schedule: "0 0 1 1 *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: example.org/random:1}]}}}}
`,
	}))
	return s.helmSource(published.HTTPS.URL, func(src *v1alpha1.HelmSource) {
		src.Digest, src.RandomFunctions = published.HTTPS.Digest, v1alpha1.PerClusterRandomFunctions
	})
}

// TestEachClusterHasItsOwnCertificatesForEver has two Clusters with one chart, and a
// manager that is started again with an empty cache.
func TestEachClusterHasItsOwnCertificatesForEver(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir(), Race: true}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	workloads := map[string]*testenv.Workload{"agra": testenv.SharedWorkload(t), "bonn": testenv.SharedWhole(t)}
	bundle := s.bundle("random", release("1.0.0", phase("all", s.randomChart())))
	s.set("random")
	proxies := map[string]*testenv.Proxy{}
	for name, workload := range workloads {
		proxies[name] = testenv.NewProxy(t, workload.APIServer)
		s.cluster(name, "random", proxies[name])
	}
	delivered := map[string]map[string]any{}
	for name, workload := range workloads {
		s.Eventually(s.ready("random-" + name)).Should(Equal(isReady))
		live, err := s.live(workload, "v1", "Secret", "default", s.namespace)
		s.Expect(err).NotTo(HaveOccurred())
		delivered[name], _ = live.Object["data"].(map[string]any)
	}
	for _, key := range []string{"ca", "cert", "word"} {
		s.Expect(delivered["agra"][key]).NotTo(BeEmpty())
		s.Expect(delivered["agra"][key]).NotTo(Equal(delivered["bonn"][key]), key)
	}

	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))
	s.Expect(bundle.Status.Releases[0].Objects).To(BeEquivalentTo(2))
	s.Expect(bundle.Status.Releases[0].Images).To(ConsistOf("example.org/random:1"))
	kept := s.renderings()
	s.Expect(kept).To(HaveLen(2))
	for _, secret := range kept {
		s.Expect(secret.OwnerReferences).To(ConsistOf(And(
			HaveField("Kind", "Cluster"), HaveField("Name", secret.Labels["addons.cluster.x-k8s.io/cluster"]),
			HaveField("Controller", BeNil()),
		)))
	}
	for name := range workloads {
		cb, err := s.clusterBundle("random-" + name)
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(cb.Spec.Digest).To(Equal(bundle.Status.Releases[0].Digest))
	}

	manager.Stop()
	for _, proxy := range proxies {
		proxy.Reset()
	}
	options.CacheDir = t.TempDir()
	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	for name, proxy := range proxies {
		// A pass that found everything right has its objects watched.
		s.Eventually(func() int { return proxy.Count("watch", "cronjobs") }).Should(BeNumerically(">", 0))
		s.Expect(proxy.Writes()).To(BeEmpty(), name)
		s.Expect(s.ready("random-" + name)()).To(Equal(isReady))
	}
	s.Expect(s.renderings()).To(Equal(kept), "nothing is rendered again")
}

// renderings returns the Secrets of what was rendered for a Cluster.
func (s *scenario) renderings() []corev1.Secret {
	s.t.Helper()
	list := &corev1.SecretList{}
	s.Expect(s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace),
		client.MatchingFields{"type": "addons.cluster.x-k8s.io/rendered"})).To(Succeed())
	for i := range list.Items {
		list.Items[i].TypeMeta = metav1.TypeMeta{}
	}
	return list.Items
}
