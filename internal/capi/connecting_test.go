package capi_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/klog/v2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	kubeconfigutil "sigs.k8s.io/cluster-api/util/kubeconfig"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// newManager returns a manager for one namespace of a management cluster.
func newManager(t testing.TB, m *testenv.Management, namespace string) ctrl.Manager {
	t.Helper()
	mgr, err := ctrl.NewManager(m.Config, ctrl.Options{
		Scheme:  testenv.Scheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{namespace: {}},
			ByObject:          map[client.Object]cache.ByObject{&corev1.Secret{}: {Transform: capi.KeepKubeconfigs}},
		},
		Controller: config.Controller{SkipNameValidation: new(true)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return mgr
}

// run runs a manager until the test ends.
func run(t testing.TB, mgr ctrl.Manager) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestMain(m *testing.M) {
	ctrl.SetLogger(klog.Background().V(10)) // errors only
	testenv.Main(m)
}

// newConnections returns connections by what is safe of kubeconfigs.
func newConnections(t testing.TB) *workload.Connections {
	t.Helper()
	return workload.NewConnections(t.Context(), workload.ConnectionOptions{ConfigOf: capi.ConfigOf, Concurrency: 100})
}

// all selects every Cluster.
func all(context.Context, *clusterv1.Cluster) bool { return true }

func TestClustersAreConnectedWhileTheyAreSelected(t *testing.T) {
	t.Parallel()
	m, w := testenv.SharedManagement(t), testenv.SharedWorkload(t)
	ns := testenv.NewNamespace(t, m.APIServer)
	cluster := testenv.NewCluster(t, m, testenv.ClusterOptions{
		Namespace: ns, Name: "berlin", Labels: map[string]string{"cni": "calico"}, Workload: w,
	})
	key := client.ObjectKeyFromObject(cluster)
	mgr := newManager(t, m, ns)
	var refused atomic.Int32
	connections := newConnections(t)
	err := capi.SetupConnecting(mgr, capi.ConnectingOptions{
		Connections: connections,
		Selects: func(_ context.Context, c *clusterv1.Cluster) bool {
			sets := &v1alpha1.ClusterBundleSetList{}
			if err := mgr.GetClient().List(t.Context(), sets, client.InNamespace(ns)); err != nil {
				t.Error(err)
			}
			for _, set := range sets.Items {
				if labels.SelectorFromSet(set.Spec.ClusterSelector.MatchLabels).Matches(labels.Set(c.Labels)) {
					return true
				}
			}
			refused.Add(1)
			return false
		},
		Changes: []source.Source{source.Kind(mgr.GetCache(), &v1alpha1.ClusterBundleSet{}, handler.TypedEnqueueRequestsFromMapFunc(
			func(context.Context, *v1alpha1.ClusterBundleSet) []reconcile.Request {
				return []reconcile.Request{{NamespacedName: key}}
			}))},
	})
	if err != nil {
		t.Fatal(err)
	}
	run(t, mgr)
	connected := func() bool { _, err := connections.Client(key); return err == nil }

	testenv.Eventually(t, "the filter is asked", func() bool { return refused.Load() > 0 })
	_, err = connections.Client(key)
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ClusterNotConnectedReason)

	// The Cluster does not change from here on: only the set does.
	set := &v1alpha1.ClusterBundleSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "calico"},
		Spec: v1alpha1.ClusterBundleSetSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{"cni": "calico"}},
			Bundle:          v1alpha1.BundleSelector{Name: "calico"},
		},
	}
	if err := m.Client.Create(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a Cluster that is selected is connected", connected)
	if got, err := connections.Version(t.Context(), key, ""); err != nil || got.Version == "" {
		t.Errorf("want the version of the workload cluster, got %q, %v", got, err)
	}

	if err := m.Client.Delete(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, "a Cluster that is no longer selected is disconnected", func() bool { return !connected() })
	after := &clusterv1.Cluster{}
	if err := m.Client.Get(t.Context(), key, after); err != nil {
		t.Fatal(err)
	}
	if after.ResourceVersion != cluster.ResourceVersion {
		t.Errorf("the Cluster changed, so the test proves nothing: %s, %s", cluster.ResourceVersion, after.ResourceVersion)
	}
}

func TestNobodyIsAskedBeforeTheControlPlaneIsInitialized(t *testing.T) {
	t.Parallel()
	m := testenv.SharedManagement(t)
	ns := testenv.NewNamespace(t, m.APIServer)
	server := testenv.NewProxy(t, testenv.SharedWorkload(t).APIServer)
	cluster := testenv.NewCluster(t, m, testenv.ClusterOptions{Namespace: ns, Name: "metz"})
	change := func(edit func()) {
		t.Helper()
		before := cluster.DeepCopy()
		edit()
		if err := m.Client.Status().Patch(t.Context(), cluster, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Client.Create(t.Context(), kubeconfigutil.GenerateSecret(cluster, server.Kubeconfig())); err != nil {
		t.Fatal(err)
	}
	change(func() { cluster.Status.Initialization.InfrastructureProvisioned = new(true) })
	mgr := newManager(t, m, ns)
	connections, key := newConnections(t), client.ObjectKeyFromObject(cluster)
	looked := make(chan client.ObjectKey, 100)
	if err := capi.SetupConnecting(mgr, capi.ConnectingOptions{
		Connections: noted{connections, looked}, Selects: all,
	}); err != nil {
		t.Fatal(err)
	}
	run(t, mgr)
	if got := <-looked; got != key {
		t.Errorf("want the Cluster looked at, got %v", got)
	}
	if got := server.Requests(); len(got) > 0 {
		t.Errorf("want no request, got %v", got)
	}
	change(func() { cluster.Status.Initialization.ControlPlaneInitialized = new(true) })
	testenv.Eventually(t, "the Cluster is connected", func() bool {
		_, err := connections.Client(key)
		return err == nil
	})
	if got := server.Requests(); len(got) != 1 || got[0].Path != "/version" {
		t.Errorf("want one request, for the version, got %v", got)
	}
}

// noted notes the Clusters that are not to be connected.
type noted struct {
	*workload.Connections

	looked chan<- client.ObjectKey
}

func (n noted) Disconnect(cluster client.ObjectKey) {
	n.Connections.Disconnect(cluster)
	n.looked <- cluster
}

func TestOnlyKubeconfigsAreKept(t *testing.T) {
	t.Parallel()
	secret := func(name string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: name, ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "x"}}},
			Data:       map[string][]byte{"value": []byte("content")},
		}
	}
	tests := map[string]struct{ given, want any }{
		"a kubeconfig is kept": {
			secret("berlin-kubeconfig"),
			&corev1.Secret{
				ObjectMeta: metav1.ObjectMeta{Name: "berlin-kubeconfig"}, Data: map[string][]byte{"value": []byte("content")},
			},
		},
		"a private key is not": {
			secret("berlin-ca"), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "berlin-ca"}},
		},
		"another object is left as it is": {
			&corev1.ConfigMap{Data: map[string]string{"key": "value"}},
			&corev1.ConfigMap{Data: map[string]string{"key": "value"}},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := capi.KeepKubeconfigs(tc.given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("object (-want +got):\n%s", diff)
			}
		})
	}
}
