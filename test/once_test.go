package test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestWhatWasAppliedOnceIsNeverTouchedAgain(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Race: true, Args: []string{"--resolve-interval=1s"},
	}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	workload := testenv.SharedWorkload(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	bundle := s.bundle("once", restorable(s.namespace, "1.0.0", "one", "a", "b"))
	s.set("once", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Strategy = v1alpha1.ApplyOnceStrategy })
	s.cluster("ulm", "once", seen)
	s.Eventually(s.ready("once-ulm")).Should(Equal(isReady))
	s.settles(seen)
	seen.Reset()

	restart := func() {
		s.manager.Stop()
		s.manager, err = testenv.StartManager(t.Context(), options)
		s.Expect(err).NotTo(HaveOccurred())
	}
	recreate := func() {
		old, err := s.clusterBundle("once-ulm")
		s.Expect(err).NotTo(HaveOccurred())
		s.Expect(management.Client.Delete(t.Context(), old)).To(Succeed())
		s.Eventually(func() types.UID { made, _ := s.clusterBundle("once-ulm"); return made.UID }).ShouldNot(BeElementOf(old.UID, types.UID("")))
	}
	// drifts has somebody change an object and delete another one.
	drifts := func() {
		s.intrude(workload, member{"v1", "ConfigMap", "default", s.namespace + "-a"}, `{"data":{"value":"theirs"}}`)
		s.Expect(workload.Client.Delete(t.Context(), member{"v1", "ConfigMap", "default", s.namespace + "-b"}.object())).To(Succeed())
	}
	newRelease := func() {
		s.change(bundle, func() {
			bundle.Spec.Releases = append(bundle.Spec.Releases, restorable(s.namespace, "2.0.0", "two", "a", "b", "c"))
		})
		s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))
	}
	left := map[string]string{"a": "theirs", "crd": "there", "widget": "one", "parent": "1.0.0"}
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"drift", drifts},
		{"a restart", restart},
		{"a ClusterBundle that is made anew", recreate},
		{"a new release", newRelease},
		{"a restart after a new release", restart},
		{"a ClusterBundle that is made anew after a new release", recreate},
	} {
		step.do()
		s.Eventually(s.ready("once-ulm")).Should(Equal(isReady), step.name)
		s.Consistently(seen.Writes, quiet, time.Second).Should(BeEmpty(), step.name)
		s.Expect(s.ready("once-ulm")()).To(Equal(isReady), step.name)
		s.Expect(s.stateOf(workload, "once")()).To(Equal(left), step.name)
		t.Logf("%s:\n%s", step.name, counted(beside(seen)))
		seen.Reset()
	}
}
