package clusterbundleset

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestASetCountsTheClustersOfItsManager(t *testing.T) {
	t.Parallel()
	labels := func(filter string) map[string]string {
		return map[string]string{"cni": "calico", clusterv1.WatchLabel: filter}
	}
	for filter, want := range map[capi.Filter]int32{"": 2, "one": 1, "two": -1} {
		set := &v1alpha1.ClusterBundleSet{}
		set.Namespace, set.Name, set.Labels, set.Generation = "default", "cni", labels("one"), 1
		set.Spec.ClusterSelector.MatchLabels = map[string]string{"cni": "calico"}
		objects := []client.Object{set}
		for _, name := range []string{"one", "two"} {
			cluster := &clusterv1.Cluster{}
			cluster.Namespace, cluster.Name, cluster.Labels = "default", name, labels(name)
			objects = append(objects, cluster)
		}
		scheme := runtime.NewScheme()
		for _, add := range []func(*runtime.Scheme) error{clusterv1.AddToScheme, v1alpha1.AddToScheme} {
			if err := add(scheme); err != nil {
				t.Fatal(err)
			}
		}
		api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithStatusSubresource(set).
			WithIndex(&v1alpha1.ClusterBundle{}, capi.SetField, func(o client.Object) []string {
				return []string{o.(*v1alpha1.ClusterBundle).Spec.SetName}
			}).Build()
		r := &Reconciler{
			Client: api, Filter: filter, Bundles: capi.Bundles{Reader: api},
			Status: status.NewWriter(api, events.NewFakeRecorder(10), clock.RealClock{}),
		}
		key := client.ObjectKeyFromObject(set)
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), key, set); err != nil {
			t.Fatal(err)
		}
		got := int32(-1) // not written
		if set.Status.Matched != nil {
			got = *set.Status.Matched
		}
		if got != want {
			t.Errorf("%q: want %d, got %d", filter, want, got)
		}
	}
}
