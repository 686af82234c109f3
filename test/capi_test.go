package test

import (
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// TestBesideClusterAPI runs Cluster API's own controllers beside ours.
func TestBesideClusterAPI(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	if err := management.StartCAPI(t.Context(), "--feature-gates=ClusterTopology=true,RuntimeSDK=true"); err != nil {
		t.Fatal(err)
	}
	manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
		Management: management, CacheDir: t.TempDir(), Race: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(manager.Stop)
	// One after the other: the first counts reconciles.
	t.Run("both settle", func(t *testing.T) { bothSettle(t, scenarioWith(t, management, manager)) })
	t.Run("an upgrade waits", func(t *testing.T) { anUpgradeWaits(t, scenarioWith(t, management, manager)) })
}

// bothSettle has them work on one Cluster. What AddonBundlesReady says counts into
// Available, and neither has the other write again and again.
func bothSettle(t *testing.T, s *scenario) {
	t.Helper()
	workload := testenv.SharedWorkload(t)
	cluster := s.cluster("linz", "cni", workload)
	addons, available := s.state(cluster, v1alpha1.AddonBundlesReadyCondition), s.state(cluster, clusterv1.ClusterAvailableCondition)
	s.Expect(addons()).To(Equal("none"), "no set selects it")

	s.change(cluster, func() {
		cluster.Spec.AvailabilityGates = []clusterv1.ClusterAvailabilityGate{{ConditionType: v1alpha1.AddonBundlesReadyCondition}}
	})
	s.Eventually(available).Should(And(HavePrefix("Unknown"), ContainSubstring("AddonBundlesReady")))
	bundle, set := s.bundle("cni", s.gated("1.0.0")), s.set("cni")
	s.Eventually(addons).Should(HavePrefix("False NotReady: cni: phase operator"))
	s.Eventually(available).Should(And(HavePrefix("False"), ContainSubstring("AddonBundlesReady: cni: phase operator")))
	s.openGate(workload, "1.0.0")
	s.Eventually(addons).Should(HavePrefix("True Ready"))
	s.Eventually(available).Should(HavePrefix("True"))

	s.nobodyWritesMore(cluster, set, bundle, s.named("cni-linz"))
	s.Expect(addons()).To(HavePrefix("True Ready"))

	s.change(cluster, func() { delete(cluster.Labels, "addon") })
	s.Eventually(addons).Should(Equal("none"), "no set selects it any more")
	s.Eventually(available).Should(HavePrefix("Unknown"))
}

// nobodyWritesMore labels objects anew, a Cluster the first of them, until, several times
// in succession, Cluster API's controller of Clusters and ours have looked at it for that,
// and nobody wrote to the objects.
func (s *scenario) nobodyWritesMore(objects ...client.Object) {
	s.t.Helper()
	const enough = 5
	quiet, last := 0, s.versionsOf(objects...)
	for round := 0; quiet < enough; round++ {
		s.Expect(round).To(BeNumerically("<", 50), "the objects are written again and again")
		isQuiet := cmp.Equal(last, s.versionsOf(objects...))
		theirs, ours := s.reconciles(s.management.CAPIMetricsURL()), s.reconciles(s.manager.MetricsURL())
		for _, object := range objects {
			s.change(object, func() { labelRound(object, round) })
		}
		written := s.versionsOf(objects...)
		s.Eventually(func(g Gomega) {
			g.Expect(s.reconciles(s.management.CAPIMetricsURL())).To(BeNumerically(">", theirs))
			// Once for the Cluster, and a second later for its ClusterBundle.
			g.Expect(s.reconciles(s.manager.MetricsURL())).To(BeNumerically(">", ours+1))
		}).Should(Succeed())
		last = s.versionsOf(objects...)
		if isQuiet = isQuiet && cmp.Equal(last, written); isQuiet {
			quiet++
		} else {
			quiet = 0
		}
	}
}

func labelRound(object client.Object, round int) {
	labels := maps.Clone(object.GetLabels())
	if labels == nil {
		labels = make(map[string]string)
	}
	labels["round"] = strconv.Itoa(round)
	object.SetLabels(labels)
}

// versionsOf reads the resource versions of objects.
func (s *scenario) versionsOf(objects ...client.Object) []string {
	s.t.Helper()
	versions := make([]string, len(objects))
	for i, object := range objects {
		s.Expect(s.management.Client.Get(s.t.Context(), client.ObjectKeyFromObject(object), object)).To(Succeed())
		versions[i] = object.GetResourceVersion()
	}
	return versions
}

// reconciles returns how often the controller of Clusters of a manager has reconciled.
func (s *scenario) reconciles(metricsURL string) (count int) {
	s.t.Helper()
	response, err := http.Get(metricsURL) //nolint:noctx // of a process on this machine
	s.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	s.Expect(err).NotTo(HaveOccurred())
	for _, line := range ofClusters.FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(line[1]))
		s.Expect(err).NotTo(HaveOccurred())
		count += n
	}
	return count
}

var ofClusters = regexp.MustCompile(`(?m)^controller_runtime_reconcile_total{controller="cluster",[^}]*} (\d+)$`)
