package capi_test

import (
	"context"
	"sync/atomic"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

func TestAClusterStaysConnectedWhileSomethingIsToBeRemoved(t *testing.T) {
	t.Parallel()
	m := testenv.SharedManagement(t)
	ns := testenv.NewNamespace(t, m.APIServer)
	cluster := testenv.NewCluster(t, m, testenv.ClusterOptions{
		Namespace: ns, Name: "lyon", Labels: map[string]string{"cni": "calico"}, Workload: testenv.SharedWorkload(t),
	})
	mgr := newManager(t, m, ns)
	if err := capi.IndexFields(t.Context(), mgr.GetFieldIndexer()); err != nil {
		t.Fatal(err)
	}
	var unselected atomic.Int32 // how often a Cluster that no set selects was asked for
	connections := newConnections(t)
	err := capi.SetupConnecting(mgr, capi.ConnectingOptions{
		Connections: connections,
		Selects: func(_ context.Context, c *clusterv1.Cluster) bool {
			needed := capi.Filter("").IsNeeded(t.Context(), mgr.GetClient(), c)
			if len(capi.SelectingSets(t.Context(), mgr.GetClient(), ns, c.Labels)) == 0 {
				unselected.Add(1)
			}
			return needed
		},
		Changes: []source.Source{capi.SelectionChanges(mgr.GetClient(), mgr.GetCache()), capi.UninstallChanges(mgr.GetCache())},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, mgr)
	connected := func() bool {
		_, err := connections.Client(client.ObjectKeyFromObject(cluster))
		return err == nil
	}
	testenv.Eventually(t, "the filter is asked", func() bool { return unselected.Load() > 0 })

	// No set selects the Cluster: one did before this manager started.
	cb := &v1alpha1.ClusterBundle{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "cni-lyon", Finalizers: []string{v1alpha1.UninstallFinalizer}},
		Spec:       v1alpha1.ClusterBundleSpec{ClusterName: "lyon", SetName: "cni", BundleName: "calico"},
	}
	if err := m.Client.Create(t.Context(), cb); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a Cluster from which something is to be removed is connected", connected)
	asked := unselected.Load()
	if err := m.Client.Delete(t.Context(), cb); err != nil {
		t.Fatal(err)
	}
	cluster.Labels["any"] = "change"
	if err := m.Client.Update(t.Context(), cluster); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the filter is asked again", func() bool { return unselected.Load() > asked })
	if !connected() {
		t.Error("want the Cluster connected until everything is removed")
	}
	if err := m.Client.Patch(t.Context(), cb, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "the Cluster is disconnected when all is removed", func() bool { return !connected() })
}
