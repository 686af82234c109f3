package test

import (
	"bytes"
	"compress/gzip"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func fromConfigMap(name string, keys ...string) v1alpha1.Source {
	return v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: name, Keys: keys}}
}

func fromSecret(name string, keys ...string) v1alpha1.Source {
	return v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: name, Keys: keys}}
}

// resourceSet is a Secret in the form that ClusterResourceSet takes.
func (s *scenario) resourceSet(name, manifest string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name},
		Type:       "addons.cluster.x-k8s.io/resource-set",
		StringData: map[string]string{"manifest.yaml": manifest},
	}
}

func TestTheConfigMapsAndSecretsOfAClusterResourceSetAreSources(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	name := func(suffix string) string { return s.namespace + "-" + suffix }
	jsonList := `[{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"default","name":"` + name("json") + `"}}]`
	s.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "manifests"},
		Data: map[string]string{
			"several": documents(configMap("default", name("a"), "x"), configMap("default", name("b"), "x")),
			"list":    jsonList,
		},
		BinaryData: map[string][]byte{"packed": s.gzip(configMap("default", name("gzip"), "x"))},
	})
	s.create(s.resourceSet("credentials", "apiVersion: v1\nkind: Secret\nmetadata: {namespace: default, name: "+
		name("secret")+"}\nstringData: {password: hunter2}\n"))
	s.bundle("crs", release("1.0.0", phase("all", fromConfigMap("manifests"), fromSecret("credentials"))))
	s.set("crs")
	s.cluster("utrecht", "crs", workload)
	s.Eventually(s.ready("crs-utrecht")).Should(Equal(isReady))
	for _, suffix := range []string{"a", "b", "json", "gzip"} {
		_, err := s.live(workload, "v1", "ConfigMap", "default", name(suffix))
		s.Expect(err).NotTo(HaveOccurred())
	}
	_, err := s.live(workload, "v1", "Secret", "default", name("secret"))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.manager.Log()).NotTo(ContainSubstring("hunter2"))
}

func (s *scenario) gzip(content string) []byte {
	s.t.Helper()
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, err := w.Write([]byte(content))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(w.Close()).To(Succeed())
	return buffer.Bytes()
}

func TestAConfigMapThatIsMissingIsWaitedForAndItsChangesAreDelivered(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	bundle := s.bundle("later", release("1.0.0", phase("all", fromConfigMap("later", "manifest"))))
	s.set("later")
	s.cluster("breda", "later", workload)
	const missing = "ReferenceNotFound: .*ConfigMap later: it does not exist in this namespace"
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False " + missing))
	s.Eventually(s.ready("later-breda")).Should(MatchRegexp("False " + missing))

	manifests := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "later"},
		Data:       map[string]string{"manifest": configMap("default", s.namespace, "one")},
	}
	s.create(manifests)
	s.Eventually(s.ready("later-breda")).Should(Equal(isReady))
	s.change(manifests, func() { manifests.Data["manifest"] = configMap("default", s.namespace, "two") })
	s.Eventually(func() any {
		live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
		if err != nil {
			return err
		}
		return live.Object["data"].(map[string]any)["value"]
	}).Should(Equal("two"))
	s.Eventually(s.ready("later-breda")).Should(Equal(isReady))
}
