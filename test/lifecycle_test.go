package test

import (
	"testing"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAPausedClusterIsNotTouchedUntilItIsUnpaused(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	seen := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	s.bundle("calm", release("1.0.0", phase("all", inline(good(s)))))
	s.set("calm")
	paused := testenv.NewCluster(t, s.management, testenv.ClusterOptions{
		Namespace: s.namespace, Name: "kyoto", Labels: optIn("calm"), Workload: seen, Paused: true,
	})
	// A second Cluster shows when the set has been reconciled.
	s.cluster("osaka", "calm", testenv.SharedWorkload(t))
	s.Eventually(s.ready("calm-osaka")).Should(Equal(isReady))
	_, err := s.clusterBundle("calm-kyoto")
	s.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "no child is created for a paused Cluster")
	s.Expect(seen.Writes()).To(BeEmpty())

	s.change(paused, func() { paused.Spec.Paused = new(false) })
	s.Eventually(s.ready("calm-kyoto")).Should(Equal(isReady))

	// Paused again: nothing of a new release is sent.
	s.change(paused, func() { paused.Spec.Paused = new(true) })
	s.Eventually(s.state(s.named("calm-kyoto"), v1alpha1.PausedCondition)).Should(HavePrefix("True"))
	seen.Reset()
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "calm"}}
	s.change(bundle, func() {
		bundle.Spec.Releases = append(bundle.Spec.Releases, release("1.1.0", phase("all", inline(configMap("default", s.namespace+"-new", "x")))))
	})
	s.Eventually(func() string { cb, _ := s.clusterBundle("calm-osaka"); return cb.Spec.Version }).Should(Equal("1.1.0"))
	s.Eventually(s.ready("calm-osaka")).Should(Equal(isReady))
	s.Expect(seen.Writes()).To(BeEmpty())

	s.change(paused, func() { paused.Spec.Paused = new(false) })
	s.Eventually(func() string { cb, _ := s.clusterBundle("calm-kyoto"); return cb.Spec.Version }).Should(Equal("1.1.0"))
	s.Eventually(s.ready("calm-kyoto")).Should(Equal(isReady))
}

func TestAClusterThatLosesItsLabelKeepsWhatWasApplied(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	seen := testenv.NewProxy(t, workload.APIServer)
	s.bundle("keep", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("keep")
	cluster := s.cluster("porto", "keep", seen)
	s.Eventually(s.ready("keep-porto")).Should(Equal(isReady))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(Equal("True Ready: 1 Clusters are ready"))
	s.Expect(*set.Status.Matched).To(Equal(int32(1)))
	s.Expect(*set.Status.Applied).To(Equal(int32(1)))

	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(func() bool { _, err := s.clusterBundle("keep-porto"); return apierrors.IsNotFound(err) }).Should(BeTrue())
	s.Eventually(func() int32 { s.state(set, v1alpha1.ReadyCondition)(); return *set.Status.Matched }).Should(BeZero())
	_, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred(), "by the deletion policy Retain")

	// Labelled again it is ready at once, and nothing is sent.
	seen.Reset()
	s.change(cluster, func() { cluster.Labels = optIn("keep") })
	s.Eventually(s.ready("keep-porto")).Should(Equal(isReady))
	s.Expect(seen.Writes()).To(BeEmpty())
}

func TestASetMadeAfterItsClusterFindsIt(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.cluster("basel", "late", testenv.SharedWorkload(t))
	s.set("late")
	s.Eventually(s.ready("late-basel")).Should(MatchRegexp("False (VersionNotChosen|BundleNotFound|ClusterNotConnected)"))
	s.bundle("late", release("1.0.0", phase("all", inline(good(s)))))
	s.Eventually(s.ready("late-basel")).Should(Equal(isReady))
}

func TestTheControlPlaneIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("early", release("1.0.0", phase("all", inline(good(s)))))
	s.set("early")
	cluster := s.cluster("delft", "early", nil)
	s.Eventually(s.ready("early-delft")).Should(Equal(
		"False ControlPlaneNotInitialized: the control plane of Cluster delft is not initialized yet"))
	s.Expect(s.management.Connect(t.Context(), cluster, testenv.SharedWorkload(t))).To(Succeed())
	s.Eventually(s.ready("early-delft")).Should(Equal(isReady))
}

func TestAReleaseIsChosenByTheVersionOfTheWorkloadCluster(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	old, fits, tooNew := release("1.0.0", phase("all", inline(configMap("default", s.namespace, "old")))),
		release("1.1.0", phase("all", inline(configMap("default", s.namespace, "fits")))),
		release("2.0.0", phase("all", inline(configMap("default", s.namespace, "too-new"))))
	fits.Kubernetes, tooNew.Kubernetes = ">=1.36.0-0 <1.37.0-0", ">=1.37.0-0"
	s.bundle("choice", tooNew, old, fits)
	s.set("choice")
	s.set("none", func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.ClusterSelector.MatchLabels = optIn("choice")
		spec.Bundle = v1alpha1.BundleSelector{Name: "choice", Version: ">=2"}
	})
	s.cluster("sofia", "choice", testenv.SharedWorkload(t))
	s.Eventually(s.ready("choice-sofia")).Should(Equal(isReady))
	cb, err := s.clusterBundle("choice-sofia")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(cb.Spec.Version).To(Equal("1.1.0"))
	s.Eventually(s.ready("none-sofia")).Should(MatchRegexp("False NoReleaseFits: .*2.0.0 needs Kubernetes >=1.37.0-0"))
}

func TestApplyOnceNeverTouchesAgainWhatReconcileUpdates(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	bundle := s.bundle("both", release("1.0.0", phase("all", inline(configMap("default", s.namespace, "one")))))
	s.set("both")
	once := s.set("once", func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.Bundle.Name, spec.Strategy = "both", v1alpha1.ApplyOnceStrategy
	})
	other := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	s.cluster("updated", "both", workload)
	s.cluster("left", once.Name, other)
	s.Eventually(s.ready("both-updated")).Should(Equal(isReady))
	s.Eventually(s.ready("once-left")).Should(Equal(isReady))

	s.change(bundle, func() {
		bundle.Spec.Releases = []v1alpha1.Release{release("1.0.1", phase("all", inline(configMap("default", s.namespace, "two"))))}
	})
	value := func(w *testenv.Workload) func() any {
		return func() any {
			live, err := s.live(w, "v1", "ConfigMap", "default", s.namespace)
			if err != nil {
				return err
			}
			return live.Object["data"].(map[string]any)["value"]
		}
	}
	s.Eventually(value(workload)).Should(Equal("two"))
	s.Eventually(s.ready("both-updated")).Should(Equal(isReady))
	s.Expect(value(other)()).To(Equal("one"))
	// It is looked at anew, since the set takes this back, and found Ready though
	// the Bundle has no such release any more.
	left := s.named("once-left")
	s.change(left, func() { left.Spec.Adoption = v1alpha1.AlwaysAdoption })
	changed := left.Generation
	s.Eventually(func() bool {
		ready := s.state(left, v1alpha1.ReadyCondition)() == isReady
		return ready && left.Generation > changed && left.Status.ObservedGeneration == left.Generation
	}).Should(BeTrue())
	cb, err := s.clusterBundle("once-left")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(cb.Spec.Version).To(Equal("1.0.0"))
}

func TestASuspendedSetStopsAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("rest", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("rest", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.Suspend = new(true) })
	s.cluster("varna", "rest", testenv.SharedWorkload(t))
	s.Eventually(s.ready("rest-varna")).Should(Equal("False Suspended: ClusterBundleSet rest is suspended"))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(HavePrefix("False Suspended"))
	s.change(set, func() { set.Spec.Suspend = nil })
	s.Eventually(s.ready("rest-varna")).Should(Equal(isReady))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))
}

func TestADeletedSetTakesItsClusterBundlesAlongAndLeavesTheObjects(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	s.bundle("gone", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("gone")
	s.cluster("trier", "gone", workload)
	s.Eventually(s.ready("gone-trier")).Should(Equal(isReady))
	s.Expect(s.management.Client.Delete(t.Context(), set)).To(Succeed())
	s.Eventually(func() bool { _, err := s.clusterBundle("gone-trier"); return apierrors.IsNotFound(err) }).Should(BeTrue())
	_, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
	s.Expect(err).NotTo(HaveOccurred())
}

func TestADeletedClusterIsNotHeldUp(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.NewWorkload(t, testenv.WorkloadOptions{})
	s.bundle("end", release("1.0.0", phase("all", inline(good(s)))))
	s.set("end")
	cluster := s.cluster("split", "end", workload)
	s.Eventually(s.ready("end-split")).Should(Equal(isReady))
	workload.StopAPIServer()
	s.Expect(s.management.Client.Delete(t.Context(), cluster)).To(Succeed())
	s.Expect(s.management.FinishDeletion(t.Context(), cluster)).To(Succeed())
	s.Eventually(func() bool { _, err := s.clusterBundle("end-split"); return apierrors.IsNotFound(err) }).Should(BeTrue())
}

func TestAClusterBundleIsNamedAndOwnedSoThatItCanMove(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	s.bundle("own", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("own")
	cluster := s.cluster("lima", "own", testenv.SharedWorkload(t))
	s.Eventually(s.ready("own-lima")).Should(Equal(isReady))
	cb, err := s.clusterBundle("own-lima")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(cb.Labels).To(HaveKeyWithValue(clusterv1.ClusterNameLabel, "lima"))
	s.Expect(cb.Finalizers).To(BeEmpty())
	s.Expect(cb.OwnerReferences).To(ConsistOf(
		HaveField("UID", set.UID), HaveField("UID", cluster.UID)))
	s.Eventually(s.events("own-lima")).Should(ContainElements("Normal PhaseReady", "Normal Ready"))
}
