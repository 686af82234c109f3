package test

import (
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestKubectlLeavesASetAloneAsThatOfAnotherTool(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	s.bundle("kept", release("1.0.0", phase("all", inline(documents(good(s), configMap("kube-system", s.namespace, "good"))))))
	s.set("kept")
	s.cluster("turin", "kept", workload)
	s.Eventually(s.ready("kept-turin")).Should(Equal(isReady))
	parent := "caapb." + s.namespace + ".kept"
	before := s.configMapsOf(workload, parent)

	apply := func(more ...string) (string, error) {
		return workload.Kubectl(t.Context(), configMap("kube-system", s.namespace+"-kubectl", "theirs"), append([]string{
			"apply", "--prune", "--applyset=configmap/" + parent, "--namespace=kube-system", "--filename=-",
		}, more...)...)
	}
	_, err := apply()
	s.Expect(err).To(MatchError(ContainSubstring(`already exists and is managed by tooling "caapb" instead of "kubectl"`)))
	s.Expect(s.configMapsOf(workload, parent)).To(Equal(before), "nothing is changed, made or deleted")

	// Its form is that of an ApplySet: if it were kubectl's own, kubectl would accept
	// it, and find its members.
	changed := &corev1.ConfigMap{}
	s.Expect(workload.Client.Get(t.Context(), client.ObjectKey{Namespace: "kube-system", Name: parent}, changed)).To(Succeed())
	changed.Annotations["applyset.kubernetes.io/tooling"] = "kubectl/v1.36"
	s.Expect(workload.Client.Update(t.Context(), changed)).To(Succeed())
	out, err := apply("--dry-run=server")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(out).To(ContainSubstring("configmap/" + s.namespace + " pruned (server dry run)"))
}

// configMapsOf returns the ConfigMaps that a test looks at, by namespace and name,
// with their resource versions: its parent, and all that are named as its namespace.
func (s *scenario) configMapsOf(w *testenv.Workload, parent string) map[string]string {
	s.t.Helper()
	versions := make(map[string]string)
	for _, key := range []client.ObjectKey{
		{Namespace: "default", Name: s.namespace}, {Namespace: "kube-system", Name: s.namespace},
		{Namespace: "kube-system", Name: s.namespace + "-kubectl"}, {Namespace: "kube-system", Name: parent},
	} {
		found := &corev1.ConfigMap{}
		s.Expect(client.IgnoreNotFound(w.Client.Get(s.t.Context(), key, found))).To(Succeed())
		versions[key.String()] = found.ResourceVersion
	}
	return versions
}
