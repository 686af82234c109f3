package test

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAnObjectOfAnotherOwnerIsACollisionUnlessItIsToBeTakenOver(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	helms := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: s.namespace,
			Annotations: map[string]string{"meta.helm.sh/release-name": "mine", "meta.helm.sh/release-namespace": "apps"},
		},
		Data: map[string]string{"value": "helm"},
	}
	s.Expect(workload.Client.Create(t.Context(), helms)).To(Succeed())
	s.bundle("taken", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("taken")
	s.cluster("minsk", "taken", workload)
	s.Eventually(s.ready("taken-minsk")).Should(Equal("False Collision: phase all: ConfigMap default/" + s.namespace +
		" is owned by the Helm release apps/mine: remove it there, or take it over with adoption: Always"))
	live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(live.Object["data"]).To(HaveKeyWithValue("value", "helm"), "it was not touched")

	s.change(set, func() { set.Spec.Adoption = v1alpha1.AlwaysAdoption })
	s.Eventually(s.ready("taken-minsk")).Should(Equal(isReady))
	live, err = s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(live.Object["data"]).To(HaveKeyWithValue("value", "good"))
}

func TestTwoSetsWithOneObjectCollide(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	s.bundle("first", release("1.0.0", phase("all", inline(good(s)))))
	s.set("first")
	cluster := s.cluster("quito", "first", workload)
	s.Eventually(s.ready("first-quito")).Should(Equal(isReady))
	s.bundle("second", release("1.0.0", phase("all", inline(configMap("default", s.namespace, "other")))))
	s.set("second", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.ClusterSelector.MatchLabels = cluster.Labels })
	s.Eventually(s.ready("second-quito")).Should(MatchRegexp("False Collision: .* is owned by ClusterBundleSet " + s.namespace + "/first: remove it there"))
}

func TestAnObjectMadeByKubectlIsAdopted(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	theirs := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace},
		Data:       map[string]string{"value": "kubectl", "more": "kept"},
	}
	s.Expect(workload.Client.Create(t.Context(), theirs)).To(Succeed())
	s.bundle("adopt", release("1.0.0", phase("all", inline(good(s)))))
	s.set("adopt")
	s.cluster("cadiz", "adopt", workload)
	s.Eventually(s.ready("adopt-cadiz")).Should(Equal(isReady))
	live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(live.Object["data"]).To(Equal(map[string]any{"value": "good", "more": "kept"}))
	s.Expect(live.GetLabels()).To(HaveKey("applyset.kubernetes.io/part-of"))
}

func TestAFileOfTheImageIsASource(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	text, err := os.ReadFile(filepath.Join("testdata", "file-source.yaml"))
	s.Expect(err).NotTo(HaveOccurred())
	file := v1alpha1.Source{File: &v1alpha1.FileSource{
		Path: "file-source.yaml", Digest: v1alpha1.Digest(digest.FromBytes(text)),
	}}
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	s.bundle("file", release("1.0.0", phase("all", file)))
	s.set("file")
	s.cluster("tulsa", "file", workload)
	s.Eventually(s.ready("file-tulsa")).Should(Equal(isReady))
	_, err = s.live(workload, "v1", "ConfigMap", "default", "from-a-file")
	s.Expect(err).NotTo(HaveOccurred())
}
