package test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// filtered are the labels of an object that only the manager with the filter has; without
// one, of an object that no manager with a filter has.
func filtered(filter string) map[string]string {
	labels := optIn("shared")
	if filter != "" {
		labels[clusterv1.WatchLabel] = filter
	}
	return labels
}

// TestManagersWithFiltersShareAManagementCluster has two managers with a filter each, and
// each object three times: with the label of the one, of the other, and with none. All
// sets select all Clusters.
func TestManagersWithFiltersShareAManagementCluster(t *testing.T) {
	t.Parallel()
	management := testenv.NewManagement(t, testenv.ManagementOptions{})
	managers := map[string]*testenv.Manager{}
	for _, filter := range []string{"one", "two"} {
		manager, err := testenv.StartManager(t.Context(), testenv.ManagerOptions{
			Management: management, CacheDir: t.TempDir(), Race: true,
			Args: []string{"--watch-filter=" + filter, "--leader-elect"}, Env: []string{"POD_NAMESPACE=default"},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(manager.Kill)
		managers[filter] = manager
	}
	s := scenarioWith(t, management, managers["one"])
	servers, clusters, sets := map[string]*testenv.Proxy{}, map[string]*clusterv1.Cluster{}, map[string]*v1alpha1.ClusterBundleSet{}
	for _, filter := range []string{"", "one", "two"} {
		name := "x" + filter
		s.create(&v1alpha1.Bundle{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Labels: filtered(filter)},
			Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{
				release("1.0.0", phase("all", inline(configMap("default", s.namespace+name, "x")))),
			}},
		})
		sets[filter] = &v1alpha1.ClusterBundleSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name, Labels: filtered(filter)},
			Spec: v1alpha1.ClusterBundleSetSpec{
				ClusterSelector: metav1.LabelSelector{MatchLabels: optIn("shared")}, Bundle: v1alpha1.BundleSelector{Name: name},
			},
		}
		s.create(sets[filter])
		servers[filter] = testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
		clusters[filter] = testenv.NewCluster(t, management, testenv.ClusterOptions{
			Namespace: s.namespace, Name: name, Labels: filtered(filter), Workload: servers[filter], Version: "v1.36.0",
		})
	}
	for _, filter := range []string{"one", "two"} {
		s.Eventually(s.ready("x" + filter + "-x" + filter)).Should(Equal(isReady))
		s.Eventually(s.state(sets[filter], v1alpha1.ReadyCondition)).Should(Equal("True Ready: 1 Clusters are ready"))
	}
	s.Expect(s.clusterBundles()).To(ConsistOf("xone-xone one", "xtwo-xtwo two"))
	s.Expect(servers[""].Requests()).To(BeEmpty())
	s.Expect(s.state(sets[""], v1alpha1.ReadyCondition)()).To(Equal("none"))
	s.Expect(s.state(&v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "x"}}, v1alpha1.ReadyCondition)()).To(Equal("none"))

	// The one hands its Cluster and its set over: what was applied stays, and the other
	// goes on with it.
	applied := len(servers["one"].Writes())
	s.change(sets["one"], func() { sets["one"].Labels = filtered("two") })
	s.change(clusters["one"], func() { clusters["one"].Labels = filtered("two") })
	s.Eventually(s.clusterBundles).Should(ConsistOf("xone-xone two", "xtwo-xone two", "xone-xtwo two", "xtwo-xtwo two"))
	managers["one"].Kill()
	for _, name := range []string{"xone-xone", "xtwo-xone", "xone-xtwo"} {
		s.Eventually(s.ready(name)).Should(Equal(isReady))
	}
	for _, write := range servers["one"].Writes()[applied:] {
		s.Expect(write.Verb).NotTo(Equal("delete"), "%v", write)
	}
	s.Expect(servers[""].Requests()).To(BeEmpty())
}

// clusterBundles returns the ClusterBundles of the namespace, each with its filter.
func (s *scenario) clusterBundles() []string {
	list := &v1alpha1.ClusterBundleList{}
	s.Expect(s.management.Client.List(s.t.Context(), list, client.InNamespace(s.namespace))).To(Succeed())
	var found []string
	for _, cb := range list.Items {
		found = append(found, cb.Name+" "+cb.Labels[clusterv1.WatchLabel])
	}
	return found
}
