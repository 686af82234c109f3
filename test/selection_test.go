package test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// answers are the versions that an API server answers with, one after the other, and
// the last for ever.
type answers struct {
	mu       sync.Mutex
	versions []string
	asked    int
}

// are sets the answers from now on.
func (a *answers) are(versions ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.versions, a.asked = versions, 0
}

func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// answer responds to a request for the version. It is a testenv.Fault.
func (a *answers) answer(w http.ResponseWriter, _ *http.Request, _ testenv.Request) bool {
	a.mu.Lock()
	version := a.versions[min(a.asked, len(a.versions)-1)]
	a.asked++
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, `{"major":"1","minor":%q,"gitVersion":%q}`, strings.Split(version, ".")[1], version)
	return true
}

// isForVersion reports whether a release is chosen by the answer.
func isForVersion(r testenv.Request) bool { return r.Path == "/version" }

// pin is what of a ClusterBundle is pinned, as "1.0.0 by v1.36.0".
func (s *scenario) pin(name string) func() string {
	return func() string {
		cb, err := s.clusterBundle(name)
		if err != nil {
			return err.Error()
		}
		return cb.Spec.Version + " by " + cb.Spec.Kubernetes
	}
}

// notes returns a function that reads the messages of the events that say which release
// was pinned.
func (s *scenario) notes(clusterBundle string) func() ([]string, error) {
	return func() ([]string, error) {
		list := &eventsv1.EventList{}
		err := s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))
		var notes []string
		for _, e := range list.Items {
			if e.Regarding.Name == clusterBundle && e.Reason == "ReleasePinned" {
				notes = append(notes, e.Note)
			}
		}
		return notes, err
	}
}

func TestVersionsThatAlternateDoNotReplaceARelease(t *testing.T) {
	t.Parallel()
	const old, upgraded = "v1.36.3", "v1.37.0"
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	options := testenv.ManagerOptions{Management: management, CacheDir: t.TempDir(), Race: true}
	manager, err := testenv.StartManager(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	s := scenarioWith(t, management, manager)
	t.Cleanup(func() { s.manager.Kill() })
	// restarted begins a new connection, which reads the version anew.
	restarted := func() {
		s.manager.Stop()
		if s.manager, err = testenv.StartManager(t.Context(), options); err != nil {
			t.Fatal(err)
		}
	}
	first, second := release("1.0.0", phase("all", inline(configMap("default", s.namespace, "first")))),
		release("1.1.0", phase("all", inline(configMap("default", s.namespace, "second"))))
	first.Kubernetes, second.Kubernetes = "<1.37.0-0", ">=1.37.0-0"
	s.bundle("cni", first, second)
	s.set("cni")
	seen := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	servers := &answers{}
	servers.are(old)
	seen.SetFault(testenv.Only(isForVersion, servers.answer))
	s.cluster("turin", "cni", seen)
	s.Eventually(s.pin("cni-turin")).Should(Equal("1.0.0 by " + old))
	s.Eventually(s.ready("cni-turin")).Should(Equal(isReady))

	// One of several API servers is upgraded, and the load balancer chooses.
	servers.are(upgraded, upgraded, old, upgraded)
	restarted()
	seen.Reset()
	begin := time.Now()
	for servers.count() < 3 {
		s.Expect(s.pin("cni-turin")()).To(Equal("1.0.0 by " + old))
		s.Expect(time.Since(begin)).To(BeNumerically("<", patience))
		s.Consistently(s.pin("cni-turin"), "1s").Should(Equal("1.0.0 by " + old))
	}
	t.Logf("the version was read %d times in %v", servers.count(), time.Since(begin).Round(time.Second))
	s.Expect(s.ready("cni-turin")()).To(Equal(isReady))
	s.Expect(seen.Writes()).To(BeEmpty())

	// The last one is, too.
	servers.are(upgraded)
	restarted()
	begin = time.Now()
	s.Eventually(s.pin("cni-turin")).WithTimeout(2 * patience).Should(Equal("1.1.0 by " + upgraded))
	t.Logf("the release follows %v after the upgrade, with %d readings", time.Since(begin).Round(time.Second), servers.count())
	s.Expect(time.Since(begin)).To(BeNumerically(">", 110*time.Second))
	s.Eventually(s.ready("cni-turin")).Should(Equal(isReady))
	s.Eventually(s.notes("cni-turin")).Should(ConsistOf("release 1.1.0 is pinned in place of 1.0.0: " +
		"1.0.0 needs Kubernetes <1.37.0-0, the cluster has " + upgraded))
}

// readyWhenReached is a release that is ready when the value of a ConfigMap of the workload cluster
// is its version.
func (s *scenario) readyWhenReached(version string) v1alpha1.Release {
	all := phase("all", inline(configMap("default", s.namespace, version)))
	all.ReadyWhen = []v1alpha1.ReadyWhen{{
		Object: v1alpha1.ObjectReference{
			APIVersion: "v1", Kind: "ConfigMap", Namespace: "default", Name: s.namespace + "-reached",
		},
		Expression: fmt.Sprintf("self.data.value >= %q", version),
	}}
	return release(version, all)
}

func TestAnUpgradeGoesThroughEachMinorVersion(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	reached := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.namespace + "-reached"}}
	reached.Data = map[string]string{"value": "1.0.0"}
	s.Expect(workload.Client.Create(t.Context(), reached)).To(Succeed())
	gate := func(version string) {
		reached.Data["value"] = version
		s.Expect(workload.Client.Update(t.Context(), reached)).To(Succeed())
	}
	var releases []v1alpha1.Release
	for _, version := range []string{"1.0.0", "1.1.0", "1.1.1", "1.2.0", "1.3.0"} {
		releases = append(releases, s.readyWhenReached(version))
	}
	bundle := s.bundle("steps", releases...)
	set := s.set("steps", func(spec *v1alpha1.ClusterBundleSetSpec) {
		spec.Bundle.Version, spec.UpgradePath = "1.0.0", v1alpha1.EachMinorUpgradePath
	})
	s.cluster("essen", "steps", workload)
	upToDate := s.state(s.named("steps-essen"), v1alpha1.UpToDateCondition)
	s.Eventually(s.ready("steps-essen")).Should(Equal(isReady))
	s.Eventually(upToDate).Should(HavePrefix("True"))

	s.change(set, func() { set.Spec.Bundle.Version = "~1.3" })
	for _, step := range []string{"1.1.1", "1.2.0"} {
		s.Eventually(s.ready("steps-essen")).Should(MatchRegexp("False ReadyWhenNotMet"))
		s.Eventually(upToDate).Should(Equal("False Progressing: release " + step + " is on the way to 1.3.0"))
		s.Consistently(s.pin("steps-essen"), "1s").Should(Equal(step+" by "), "it is not ready")
		gate(step)
	}
	gate("1.3.0")
	s.Eventually(s.pin("steps-essen")).Should(Equal("1.3.0 by "))
	s.Eventually(upToDate).Should(HavePrefix("True"))
	s.Eventually(s.ready("steps-essen")).Should(Equal(isReady))
	s.Eventually(s.notes("steps-essen")).Should(ConsistOf(
		"release 1.1.1 is pinned in place of 1.0.0: on the way to 1.3.0",
		"release 1.2.0 is pinned in place of 1.1.1: on the way to 1.3.0",
		"release 1.3.0 is pinned in place of 1.2.0: the version constraint of the set is ~1.3"))

	// There is no way without 1.4.
	s.change(bundle, func() { bundle.Spec.Releases = append(bundle.Spec.Releases, s.readyWhenReached("1.5.0")) })
	s.change(set, func() { set.Spec.Bundle.Version = "" })
	s.Eventually(upToDate).Should(Equal(
		"False NoUpgradePath: release 1.3.0 stays: the way from 1.3.0 to 1.5.0: no release of 1.4 is listed"))
	s.Expect(s.ready("steps-essen")()).To(Equal(isReady))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(HavePrefix("False NotUpToDate"))

	// Down it goes at once.
	s.change(set, func() { set.Spec.Bundle.Version = "1.0.0" })
	s.Eventually(s.pin("steps-essen")).Should(Equal("1.0.0 by "))
	s.Eventually(s.ready("steps-essen")).Should(Equal(isReady))
}

func TestAnUpgradeThatFailsIsRolledBack(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	workload := testenv.SharedWorkload(t)
	refused := func(port int) v1alpha1.Phase {
		all := phase("all", inline(documents(configMap("default", s.namespace, "newer"), fmt.Sprintf(
			"apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: %s}\nspec: {ports: [{port: %d}]}\n", s.namespace, port))))
		all.Timeout = seconds(2)
		return all
	}
	bundle := s.bundle("back", release("1.0.0", phase("all", inline(good(s)))))
	set := s.set("back", func(spec *v1alpha1.ClusterBundleSetSpec) { spec.RollbackOnFailure = new(true) })
	s.cluster("fulda", "back", workload)
	upToDate := s.state(s.named("back-fulda"), v1alpha1.UpToDateCondition)
	s.Eventually(s.ready("back-fulda")).Should(Equal(isReady))

	s.change(bundle, func() { bundle.Spec.Releases = append(bundle.Spec.Releases, release("1.1.0", refused(99999))) })
	s.Eventually(upToDate).Should(MatchRegexp(
		"False RolledBack: release 1.0.0 stays: release 1.1.0 failed and was rolled back: .*HTTP 422"))
	s.Eventually(s.ready("back-fulda")).Should(Equal(isReady))
	s.Eventually(s.agentIs(workload)).Should(Equal(map[string]any{"value": "good"}))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(HavePrefix("False NotUpToDate"))
	s.Eventually(s.notes("back-fulda")).Should(ConsistOf(
		"release 1.1.0 is pinned in place of 1.0.0: 1.1.0 is newer",
		MatchRegexp("release 1.0.0 is pinned in place of 1.1.0: rolled back: .*HTTP 422")))
	cb, err := s.clusterBundle("back-fulda")
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(cb.Spec.Version + " " + cb.Spec.Previous.Version + " " + cb.Spec.Failed.Version).To(Equal("1.0.0 1.0.0 1.1.0"))
	s.Consistently(s.pin("back-fulda"), "1s").Should(Equal("1.0.0 by "))

	// With another content it is tried again.
	s.change(bundle, func() {
		bundle.Spec.Releases[slices.IndexFunc(bundle.Spec.Releases, isVersion("1.1.0"))].Phases = []v1alpha1.Phase{refused(99)}
	})
	s.Eventually(s.pin("back-fulda")).Should(Equal("1.1.0 by "))
	s.Eventually(s.ready("back-fulda")).Should(Equal(isReady))
	s.Eventually(upToDate).Should(HavePrefix("True"))
	s.Eventually(s.agentIs(workload)).Should(Equal(map[string]any{"value": "newer"}))
	s.Eventually(s.state(set, v1alpha1.ReadyCondition)).Should(HavePrefix("True"))
}

func isVersion(version string) func(v1alpha1.Release) bool {
	return func(r v1alpha1.Release) bool { return r.Version == version }
}

func TestWhatUpgradesIsRefusedForWhatIsAppliedOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	for name, change := range map[string]func(*v1alpha1.ClusterBundleSetSpec){
		"rollbackOnFailure is not for strategy ApplyOnce": func(spec *v1alpha1.ClusterBundleSetSpec) { spec.RollbackOnFailure = new(true) },
		"kubernetesUpgrades is not for strategy ApplyOnce": func(spec *v1alpha1.ClusterBundleSetSpec) {
			spec.KubernetesUpgrades = v1alpha1.HoldKubernetesUpgrades
		},
		"upgradePath is not for strategy ApplyOnce": func(spec *v1alpha1.ClusterBundleSetSpec) {
			spec.UpgradePath = v1alpha1.EachMinorUpgradePath
		},
	} {
		set := &v1alpha1.ClusterBundleSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "once"},
			Spec: v1alpha1.ClusterBundleSetSpec{
				ClusterSelector: metav1.LabelSelector{MatchLabels: optIn("once")},
				Bundle:          v1alpha1.BundleSelector{Name: "once"}, Strategy: v1alpha1.ApplyOnceStrategy,
			},
		}
		change(&set.Spec)
		s.Expect(s.management.Client.Create(t.Context(), set)).To(MatchError(ContainSubstring(name)))
	}
}
