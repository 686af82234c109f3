package bundle

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
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestTheStatusOfABundleIsItsManagersToWrite(t *testing.T) {
	t.Parallel()
	for filter, want := range map[capi.Filter]bool{"": true, "one": true, "two": false} {
		bundle := &v1alpha1.Bundle{}
		bundle.Namespace, bundle.Name, bundle.Generation = "shop", "calico", 1
		bundle.Labels = map[string]string{clusterv1.WatchLabel: "one"}
		bundle.Spec.Releases = []v1alpha1.Release{{Version: "1.0.0"}}
		scheme := runtime.NewScheme()
		if err := v1alpha1.AddToScheme(scheme); err != nil {
			t.Fatal(err)
		}
		api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(bundle).WithStatusSubresource(bundle).Build()
		r := &Reconciler{
			Client: api, Filter: filter, Library: &shelf{opened: map[string]*library.Bundle{"1.0.0": openedWith()}},
			Status: status.NewWriter(api, events.NewFakeRecorder(10), clock.RealClock{}),
		}
		key := client.ObjectKeyFromObject(bundle)
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if err := api.Get(t.Context(), key, bundle); err != nil {
			t.Fatal(err)
		}
		if got := bundle.Status.ObservedGeneration > 0; got != want {
			t.Errorf("%q: want it written: %t, got %t", filter, want, got)
		}
	}
}
