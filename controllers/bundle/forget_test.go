package bundle

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

func TestTheCacheHearsWhatABundleNoLongerNames(t *testing.T) {
	t.Parallel()
	bundle := &v1alpha1.Bundle{}
	bundle.Namespace, bundle.Name, bundle.Generation = "shop", "calico", 1
	bundle.Spec.Releases = []v1alpha1.Release{{Version: "1.0.0"}}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	api := fake.NewClientBuilder().WithScheme(scheme).WithObjects(bundle).WithStatusSubresource(bundle).Build()
	shelf := &shelf{opened: map[string]*library.Bundle{"1.0.0": openedWith()}}
	r := &Reconciler{Client: api, Library: shelf, Status: status.NewWriter(api, events.NewFakeRecorder(10), clock.RealClock{})}
	key := client.ObjectKeyFromObject(bundle)
	reconcile := func(when string, wantForgot bool) ctrl.Result {
		t.Helper()
		shelf.forgot, shelf.abandoned = nil, nil
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Contains(shelf.forgot, key); got != wantForgot {
			t.Errorf("%s: want %t, got %t", when, wantForgot, got)
		}
		if !slices.Equal(shelf.abandoned, shelf.forgot) {
			t.Errorf("%s: want what it named before given up, got %v", when, shelf.abandoned)
		}
		return result
	}

	reconcile("a spec that is new", true)
	if result := reconcile("a spec that stayed", false); result.RequeueAfter != reopenEvery {
		t.Errorf("want it to name again what it names, got %+v", result)
	}
	if err := api.Get(t.Context(), key, bundle); err != nil {
		t.Fatal(err)
	}
	bundle.Generation = 2
	if err := api.Update(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	reconcile("a spec that changed", true)
	if err := api.Delete(t.Context(), bundle); err != nil {
		t.Fatal(err)
	}
	reconcile("a Bundle that is gone", true)
}
