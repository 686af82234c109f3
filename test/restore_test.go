package test

import (
	"maps"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// restorable is a release of ConfigMaps with one value behind a definition, with an
// instance of it.
func restorable(id, version, value string, configMaps ...string) v1alpha1.Release {
	manifests := []string{widget(id, "a", value)}
	for _, name := range configMaps {
		manifests = append(manifests, configMap("default", id+"-"+name, value))
	}
	return release(version, phase("crds", inline(crd(groupOf(id), "widgets", "Widget"))), phase("rest", inline(documents(manifests...))))
}

// stateOf returns the objects of restorable releases that a workload cluster has, with
// their values, and what the parent says.
func (s *scenario) stateOf(w *testenv.Workload, set string) func() map[string]string {
	return func() map[string]string {
		state := make(map[string]string)
		for _, name := range []string{"a", "b", "c"} {
			found := &corev1.ConfigMap{}
			if w.Client.Get(s.t.Context(), client.ObjectKey{Namespace: "default", Name: s.namespace + "-" + name}, found) == nil {
				state[name] = found.Data["value"]
			}
		}
		group := groupOf(s.namespace)
		if u, err := s.live(w, "apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets."+group); err == nil && u.GetDeletionTimestamp() == nil {
			state["crd"] = "there"
		}
		if u, err := s.live(w, group+"/v1", "Widget", "", "a"); err == nil {
			state["widget"] = u.GetAnnotations()["content"]
		}
		parent := &corev1.ConfigMap{}
		key := client.ObjectKey{Namespace: inventory.Namespace, Name: inventory.ParentOf(s.namespace, set).Name()}
		if w.Client.Get(s.t.Context(), key, parent) == nil {
			state["parent"] = inventory.RecordOf(parent).Version
		}
		return state
	}
}

// isHeld keeps writes from a Cluster.
var isHeld = testenv.Only(testenv.Request.IsWrite, testenv.Answer(503, time.Second))

func TestAControlPlaneThatIsRestoredFromABackupIsRepaired(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	seen := testenv.NewProxy(t, workload.APIServer)
	backup := func() testenv.Backup {
		made, err := workload.Backup(t.Context())
		s.Expect(err).NotTo(HaveOccurred())
		return made
	}
	beforeInstall := backup()
	bundle := s.bundle("kept", restorable(s.namespace, "1.0.0", "one", "a", "b"))
	s.set("kept")
	s.cluster("essen", "kept", seen)
	s.Eventually(s.ready("kept-essen")).Should(Equal(isReady))
	s.Expect(s.stateOf(workload, "kept")()).To(Equal(map[string]string{
		"a": "one", "b": "one", "crd": "there", "widget": "one", "parent": "1.0.0"}))
	olderRelease := backup()
	s.change(bundle, func() {
		bundle.Spec.Releases = append(bundle.Spec.Releases, restorable(s.namespace, "2.0.0", "two", "b", "c"))
	})
	whole := map[string]string{"b": "two", "c": "two", "crd": "there", "widget": "two", "parent": "2.0.0"}
	s.Eventually(s.stateOf(workload, "kept")).Should(Equal(whole))
	s.Eventually(s.ready("kept-essen")).Should(Equal(isReady))
	seen.SetFault(isHeld)
	s.deletes(workload)(member{"v1", "ConfigMap", "default", s.namespace + "-b"})
	s.deletes(workload)(member{"apiextensions.k8s.io/v1", "CustomResourceDefinition", "", "widgets." + groupOf(s.namespace)})
	objectsMiss := backup()
	seen.SetFault(nil)

	for _, restored := range []struct {
		name string
		from testenv.Backup
	}{{"objects miss", objectsMiss}, {"an older release", olderRelease}, {"before the install", beforeInstall}} {
		s.Eventually(s.stateOf(workload, "kept")).Should(Equal(whole))
		s.Eventually(s.ready("kept-essen")).Should(Equal(isReady))
		s.settles(seen)
		s.Expect(workload.Restore(t.Context(), restored.from)).To(Succeed())
		begun, was := time.Now(), s.stateOf(workload, "kept")()
		s.Eventually(s.stateOf(workload, "kept")).Should(Equal(whole), restored.name)
		objects := time.Since(begun)
		s.Eventually(s.ready("kept-essen")).Should(Equal(isReady), restored.name)
		t.Logf("%s: was %v, repaired after %.1f s, Ready after %.1f s", restored.name, was, objects.Seconds(), time.Since(begun).Seconds())
		s.settles(seen)
		s.Expect(maps.Equal(s.stateOf(workload, "kept")(), whole)).To(BeTrue())
	}
}

func TestAClusterThatIsMadeAgainUnderItsNameGetsEverythingAnew(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("anew", restorable(s.namespace, "1.0.0", "one", "a", "b"))
	s.set("anew")
	want := map[string]string{"a": "one", "b": "one", "crd": "there", "widget": "one", "parent": "1.0.0"}
	first, second := testenv.NewWorkload(t, testenv.WorkloadOptions{}), testenv.NewWorkload(t, testenv.WorkloadOptions{})
	cluster := s.cluster("halle", "anew", first)
	s.Eventually(s.ready("anew-halle")).Should(Equal(isReady))
	old, err := s.clusterBundle("anew-halle")
	s.Expect(err).NotTo(HaveOccurred())

	s.Expect(s.management.Client.Delete(t.Context(), cluster)).To(Succeed())
	s.Expect(s.management.FinishDeletion(t.Context(), cluster)).To(Succeed())
	first.Stop()
	s.Eventually(s.isGone("anew-halle")).Should(BeTrue())
	begun := time.Now()
	s.cluster("halle", "anew", second)
	s.Eventually(s.stateOf(second, "anew")).Should(Equal(want))
	s.Eventually(s.ready("anew-halle")).Should(Equal(isReady))
	t.Logf("Ready %.1f s after it was made again", time.Since(begun).Seconds())
	made, err := s.clusterBundle("anew-halle")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(made.UID).NotTo(Equal(old.UID))
}
