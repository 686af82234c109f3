package test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// uninstalls is of a set whose objects go with it.
func uninstalls(spec *v1alpha1.ClusterBundleSetSpec) {
	spec.DeletionPolicy = v1alpha1.DeleteDeletionPolicy
}

// isGone returns a function that reports whether a ClusterBundle is gone.
func (s *scenario) isGone(clusterBundle string) func() bool {
	return func() bool { _, err := s.clusterBundle(clusterBundle); return apierrors.IsNotFound(err) }
}

// remains returns which of the ConfigMap of the bundle and the parent of the set
// there are in a workload cluster.
func (s *scenario) remains(w *testenv.Workload, set string) []string {
	s.t.Helper()
	var found []string
	for what, name := range map[string]types.NamespacedName{
		"object": {Namespace: "default", Name: s.namespace},
		"parent": {Namespace: "kube-system", Name: "caapb." + s.namespace + "." + set},
	} {
		_, err := s.live(w, "v1", "ConfigMap", name.Namespace, name.Name)
		s.Expect(client.IgnoreNotFound(err)).To(Succeed())
		if err == nil {
			found = append(found, what)
		}
	}
	return found
}

// installed makes a set with the deletionPolicy Delete and a Cluster of it, which
// are ready, and a proxy in front of the workload cluster.
func (s *scenario) installed(set, cluster string, w *testenv.Workload) (
	*v1alpha1.ClusterBundleSet, *clusterv1.Cluster, *testenv.Proxy,
) {
	s.t.Helper()
	seen := testenv.NewProxy(s.t, w.APIServer)
	s.bundle(set, release("1.0.0", phase("all", inline(good(s)))))
	made, of := s.set(set, uninstalls), s.cluster(cluster, set, seen)
	s.Eventually(s.ready(set + "-" + cluster)).Should(Equal(isReady))
	s.Expect(s.remains(w, set)).To(ConsistOf("object", "parent"))
	seen.Reset()
	return made, of, seen
}

// isTerminating returns a function that reports whether the ConfigMap of the bundle
// is being deleted: a finalizer keeps it.
func (s *scenario) isTerminating(w *testenv.Workload) func() bool {
	return func() bool {
		object, err := s.live(w, "v1", "ConfigMap", "default", s.namespace)
		return err == nil && object.GetDeletionTimestamp() != nil
	}
}

// finalize sets the finalizers of the ConfigMap of the bundle.
func (s *scenario) finalize(w *testenv.Workload, finalizers ...string) {
	s.t.Helper()
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind("ConfigMap")
	object.SetNamespace("default")
	object.SetName(s.namespace)
	before := object.DeepCopy()
	object.SetFinalizers(finalizers)
	patch := client.MergeFrom(before)
	if len(finalizers) == 0 {
		patch = client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
	}
	s.Expect(w.Client.Patch(s.t.Context(), object, patch)).To(Succeed())
}

func TestAClusterThatIsOptedOutLosesWhatWasAppliedAndThenTheParent(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	_, cluster, seen := s.installed("out", "turin", workload)
	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(s.isGone("out-turin")).Should(BeTrue())
	s.Expect(s.remains(workload, "out")).To(BeEmpty())
	s.Eventually(s.events("out-turin")).Should(ContainElement("Normal Uninstalled"))
	parent, writes := "caapb."+s.namespace+".out", seen.Writes()
	s.Expect(writes).To(HaveLen(3))
	s.Expect(writes[0].Verb + " " + writes[0].Name).To(Equal("update " + parent)) // that it is being removed
	s.Expect(writes[1].Verb + " " + writes[1].Name).To(Equal("delete " + s.namespace))
	s.Expect(writes[2].Verb + " " + writes[2].Name).To(Equal("delete " + parent))

	// Opted in again it gets everything anew.
	s.change(cluster, func() { cluster.Labels = optIn("out") })
	s.Eventually(s.ready("out-turin")).Should(Equal(isReady))
	s.Expect(s.remains(workload, "out")).To(ConsistOf("object", "parent"))
}

func TestAnotherSelectorUninstalls(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, _, _ := s.installed("narrow", "parma", workload)
	s.change(set, func() { set.Spec.ClusterSelector.MatchLabels = optIn("nobody") })
	s.Eventually(s.isGone("narrow-parma")).Should(BeTrue())
	s.Expect(s.remains(workload, "narrow")).To(BeEmpty())
}

func TestAPausedClusterIsUninstalledWhenItIsUnpaused(t *testing.T) {
	t.Parallel()
	for name, optOut := range map[string]func(*scenario, *v1alpha1.ClusterBundleSet, *clusterv1.Cluster){
		"opted out": func(s *scenario, _ *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) {
			s.change(cluster, func() { delete(cluster.Labels, "addon") })
		},
		"its set deleted": func(s *scenario, set *v1alpha1.ClusterBundleSet, _ *clusterv1.Cluster) {
			s.Expect(s.management.Client.Delete(s.t.Context(), set)).To(Succeed())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.SharedWorkload(t)
			set, cluster, seen := s.installed("calm", "pisa", workload)
			s.change(cluster, func() { cluster.Spec.Paused = new(true) })
			s.Eventually(s.state(s.named("calm-pisa"), v1alpha1.PausedCondition)).Should(HavePrefix("True"))
			optOut(s, set, cluster)
			// A second Cluster shows when that has been seen.
			s.bundle("other", release("1.0.0", phase("all", inline(configMap("default", s.namespace+"-other", "x")))))
			s.set("other")
			s.cluster("siena", "other", testenv.SharedWorkload(t))
			s.Eventually(s.ready("other-siena")).Should(Equal(isReady))
			cb, err := s.clusterBundle("calm-pisa")
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(cb.DeletionTimestamp).To(BeNil())
			s.Expect(seen.Writes()).To(BeEmpty())

			s.change(cluster, func() { cluster.Spec.Paused = new(false) })
			s.Eventually(s.isGone("calm-pisa")).Should(BeTrue())
			s.Expect(s.remains(workload, "calm")).To(BeEmpty())
		})
	}
}

func TestAPausedClusterBundleIsUninstalledWhenItIsUnpaused(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, _, seen := s.installed("still", "fermo", workload)
	cb := s.named("still-fermo")
	s.change(cb, func() { cb.Annotations = map[string]string{clusterv1.PausedAnnotation: ""} })
	s.Eventually(s.state(cb, v1alpha1.PausedCondition)).Should(HavePrefix("True"))
	s.change(set, func() { set.Spec.ClusterSelector.MatchLabels = optIn("nobody") })
	s.Eventually(func() int32 { s.state(set, v1alpha1.ReadyCondition)(); return *set.Status.Matched }).Should(BeZero())
	s.Expect(seen.Writes()).To(BeEmpty())

	s.change(cb, func() { cb.Annotations = nil })
	s.Eventually(s.isGone("still-fermo")).Should(BeTrue())
	s.Expect(s.remains(workload, "still")).To(BeEmpty())
}

func TestADeletedClusterIsNotHeldUpByAnUninstall(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	_, cluster, seen := s.installed("last", "genoa", workload)
	s.Expect(s.management.Client.Delete(t.Context(), cluster)).To(Succeed())
	s.Eventually(s.isGone("last-genoa")).Should(BeTrue())
	s.Expect(s.management.FinishDeletion(t.Context(), cluster)).To(Succeed())
	s.Expect(seen.Writes()).To(BeEmpty())
	s.Expect(s.remains(workload, "last")).To(ConsistOf("object", "parent"))
}

func TestWhatClusterctlMovedIsLetGo(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, cluster, seen := s.installed("moved", "lecce", workload)
	// As clusterctl does, but for the finalizers, which are ours to remove.
	s.change(cluster, func() { cluster.Spec.Paused = new(true) })
	cb := s.named("moved-lecce")
	s.change(cb, func() { cb.Annotations = map[string]string{"clusterctl.cluster.x-k8s.io/delete-for-move": ""} })
	s.Expect(s.management.Client.Delete(t.Context(), cb)).To(Succeed())
	s.Eventually(s.isGone("moved-lecce")).Should(BeTrue())
	s.Expect(s.management.Client.Delete(t.Context(), set)).To(Succeed())
	s.Eventually(s.events("moved-lecce")).Should(ContainElement("Normal NotUninstalled"))
	s.Expect(seen.Writes()).To(BeEmpty())
	s.Expect(s.remains(workload, "moved")).To(ConsistOf("object", "parent"))
}

func TestAClusterBundleDeletedByHandIsMadeAnewAndNothingIsSent(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	_, _, seen := s.installed("again", "udine", testenv.SharedWorkload(t))
	cb, err := s.clusterBundle("again-udine")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(s.management.Client.Delete(t.Context(), cb)).To(Succeed())
	s.Eventually(func() bool {
		made, err := s.clusterBundle("again-udine")
		return err == nil && made.UID != cb.UID
	}).Should(BeTrue())
	s.Eventually(s.ready("again-udine")).Should(Equal(isReady))
	s.Expect(seen.Writes()).To(BeEmpty())
}

func TestAClusterThatCannotBeReachedIsUninstalledWhenItIsBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, _, seen := s.installed("far", "olbia", workload)
	seen.SetFault(testenv.Cut)
	s.Expect(s.management.Client.Delete(t.Context(), set)).To(Succeed())
	s.Eventually(s.state(s.named("far-olbia"), v1alpha1.DeletingCondition)).
		Should(MatchRegexp("True Removing: .*(connection to the API server|is not connected)"))
	s.Expect(s.remains(workload, "far")).To(ConsistOf("object", "parent"))
	seen.SetFault(nil)
	s.Eventually(s.isGone("far-olbia")).Should(BeTrue())
	s.Expect(s.remains(workload, "far")).To(BeEmpty())
}

func TestAClusterThatIsOptedInDuringItsUninstallEndsInstalled(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	_, cluster, _ := s.installed("back", "matera", workload)
	s.finalize(workload, "example.com/slow")
	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(s.isTerminating(workload)).Should(BeTrue())
	s.Eventually(s.ready("back-matera")).Should(MatchRegexp("False Removing: .*ConfigMap"))
	was, err := s.clusterBundle("back-matera")
	s.Expect(err).NotTo(HaveOccurred())

	s.change(cluster, func() { cluster.Labels = optIn("back") })
	s.Eventually(func() types.UID { cb, _ := s.clusterBundle("back-matera"); return cb.UID }).
		ShouldNot(Or(BeEmpty(), Equal(was.UID)))
	s.finalize(workload)
	s.Eventually(s.ready("back-matera")).Should(Equal(isReady))
	s.Expect(s.remains(workload, "back")).To(ConsistOf("object", "parent"))
}

func TestAnUninstallThatIsPausedGoesOn(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	_, cluster, seen := s.installed("hold", "rimini", workload)
	s.finalize(workload, "example.com/slow")
	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(s.isTerminating(workload)).Should(BeTrue())
	s.Eventually(s.ready("hold-rimini")).Should(MatchRegexp("False Removing: .*ConfigMap"))
	s.change(cluster, func() { cluster.Spec.Paused = new(true) })
	s.Eventually(s.ready("hold-rimini")).Should(HavePrefix("False Paused: "))
	seen.Reset()
	s.finalize(workload)
	s.Expect(seen.Writes()).To(BeEmpty())
	s.change(cluster, func() { cluster.Spec.Paused = new(false) })
	s.Eventually(s.isGone("hold-rimini")).Should(BeTrue())
	s.Expect(s.remains(workload, "hold")).To(BeEmpty())
}

func TestADeletedClusterEndsAnUninstallThatWaits(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, cluster, seen := s.installed("stop", "cuneo", workload)
	seen.SetFault(testenv.Cut)
	s.Expect(s.management.Client.Delete(t.Context(), set)).To(Succeed())
	s.Eventually(s.state(s.named("stop-cuneo"), v1alpha1.DeletingCondition)).Should(HavePrefix("True Removing: "))
	s.Expect(s.management.Client.Delete(t.Context(), cluster)).To(Succeed())
	s.Eventually(s.isGone("stop-cuneo")).Should(BeTrue())
	s.Expect(s.management.FinishDeletion(t.Context(), cluster)).To(Succeed())
	s.Expect(s.remains(workload, "stop")).To(ConsistOf("object", "parent"))
}

// TestAnUninstallGoesOnAfterARestart has no set any more when the manager starts:
// only the ClusterBundle has its Cluster connected.
func TestAnUninstallGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir(), Race: true}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	workload := testenv.SharedWorkload(t)
	set, _, _ := s.installed("after", "nuoro", workload)
	s.finalize(workload, "example.com/slow")
	s.Expect(management.Client.Delete(t.Context(), set)).To(Succeed())
	s.Eventually(s.isTerminating(workload)).Should(BeTrue())
	s.Eventually(s.ready("after-nuoro")).Should(MatchRegexp("False Removing: .*ConfigMap"))
	s.manager.Kill()
	s.finalize(workload)
	s.Expect(s.remains(workload, "after")).To(ConsistOf("parent"))

	if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	s.Eventually(s.isGone("after-nuoro")).Should(BeTrue())
	s.Expect(s.remains(workload, "after")).To(BeEmpty())
}

func TestASuspendedSetHoldsAnUninstall(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	set, cluster, seen := s.installed("rest", "trento", workload)
	s.change(set, func() { set.Spec.Suspend = new(true) })
	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	was := s.named("rest-trento")
	s.Eventually(s.state(was, v1alpha1.DeletingCondition)).Should(HavePrefix("True Removing: ClusterBundleSet rest is suspended"))

	// No timer wakes it: the label does.
	s.change(cluster, func() { cluster.Labels = optIn("rest") })
	s.Eventually(func() types.UID { cb, _ := s.clusterBundle("rest-trento"); return cb.UID }).
		ShouldNot(Or(BeEmpty(), Equal(was.UID)))
	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(s.state(s.named("rest-trento"), v1alpha1.DeletingCondition)).Should(HavePrefix("True Removing: "))
	s.Expect(seen.Writes()).To(BeEmpty())
	s.change(set, func() { set.Spec.Suspend = nil })
	s.Eventually(s.isGone("rest-trento")).Should(BeTrue())
	s.Expect(s.remains(workload, "rest")).To(BeEmpty())
}
