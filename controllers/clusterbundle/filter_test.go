package clusterbundle

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// filteredBy gives an object the label of the manager with the filter.
func filteredBy[O client.Object](object O, filter string) O {
	labels := map[string]string{clusterv1.WatchLabel: filter}
	for key, value := range object.GetLabels() {
		if key != clusterv1.WatchLabel {
			labels[key] = value
		}
	}
	object.SetLabels(labels)
	return object
}

func TestWhatAnotherManagerHasIsNotTouched(t *testing.T) {
	t.Parallel()
	delivered := func() *v1alpha1.ClusterBundle { return filteredBy(bundleOf("cni", "prod"), "one") }
	removed := func() *v1alpha1.ClusterBundle { return filteredBy(uninstalled(begun), "one") }
	cluster, set := filteredBy(prepared(identified), "one"), filteredBy(selecting(), "one")
	tests := map[string]struct {
		given   *v1alpha1.ClusterBundle
		with    []client.Object
		touched bool
	}{
		"unless all is this manager's":               {delivered(), []client.Object{cluster, set}, true},
		"the Cluster is another's":                   {delivered(), []client.Object{filteredBy(prepared(), "two"), set}, false},
		"the Cluster is nobody's":                    {delivered(), []client.Object{prepared(), set}, false},
		"the set is another's":                       {delivered(), []client.Object{cluster, filteredBy(selecting(), "two")}, false},
		"a removal for a set that is another's":      {removed(), []client.Object{cluster, filteredBy(selecting(), "two")}, false},
		"a removal from a Cluster that is another's": {removed(), []client.Object{filteredBy(prepared(identified), "two"), set}, false},
		"a removal that another's set left":          {filteredBy(removed(), "two"), []client.Object{cluster}, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, requests := emptyCluster(t)
			objects := []client.Object{tc.given}
			for _, object := range tc.with {
				objects = append(objects, object.DeepCopyObject().(client.Object))
			}
			r := reconcilerOf(t, cfg, objects...)
			r.Filter = "one"
			key := client.ObjectKeyFromObject(tc.given)
			before, after := &v1alpha1.ClusterBundle{}, &v1alpha1.ClusterBundle{}
			if err := r.Client.Get(t.Context(), key, before); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil {
				t.Fatal(err)
			}
			if err := r.Client.Get(t.Context(), key, after); err != nil {
				t.Fatal(err)
			}
			if touched := !cmp.Equal(before, after) || requests.Load() > 0; touched != tc.touched {
				t.Errorf("want it touched: %t, got %d requests and\n%s", tc.touched, requests.Load(), cmp.Diff(before, after))
			}
		})
	}
}

func TestAPassEndsWhenAnotherManagerHasItsCluster(t *testing.T) {
	t.Parallel()
	cb, removed := filteredBy(bundleOf("cni", "prod"), "one"), filteredBy(uninstalled(begun), "one")
	r := reconcilerOf(t, nil, filteredBy(prepared(identified), "two"), cb)
	r.Filter = "one"
	if err := r.guard(t.Context(), &scope{cluster: prepared(identified), clusterBundle: cb})(); !errors.Is(err, errNotOurs) {
		t.Errorf("want the pass ended, got %v", err)
	}
	r = reconcilerOf(t, nil, filteredBy(prepared(identified), "two"), removed)
	r.Filter = "one"
	if err := r.removalGuard(t.Context(), removed, v1alpha1.RetainCRDPolicy)(); !errors.Is(err, errNotOurs) {
		t.Errorf("want the removal ended, got %v", err)
	}
}
