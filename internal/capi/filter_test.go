package capi_test

import (
	"fmt"
	"testing"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// The states of an object: gone, without the label, with that of another manager, and
// with that of this one.
const gone, plain, others, ours = "gone", "", "two", "one"

// in puts an object into a state; nil if it is gone.
func in[O client.Object](object O, state string) O {
	var none O
	if state == gone {
		return none
	}
	object.SetNamespace("default")
	object.SetName("x")
	object.SetLabels(map[string]string{"cni": "calico"})
	if state != plain {
		object.GetLabels()[clusterv1.WatchLabel] = state
	}
	return object
}

func TestWhoHasASetOnACluster(t *testing.T) {
	t.Parallel()
	for _, set := range []string{gone, plain, others, ours} {
		for _, cluster := range []string{gone, plain, others, ours} {
			for _, left := range []string{gone, plain, others, ours} {
				t.Run(fmt.Sprintf("set %s, cluster %s, left %s", set, cluster, left), func(t *testing.T) {
					t.Parallel()
					has := func(f capi.Filter) bool {
						return f.HasSetOn(in(&v1alpha1.ClusterBundleSet{}, set), in(&clusterv1.Cluster{}, cluster), in(&v1alpha1.ClusterBundle{}, left))
					}
					// The set decides, and what it left when it is gone; the Cluster has to agree.
					decides := set
					if set == gone {
						decides = left
					}
					want := (decides == gone || decides == ours) && (cluster == gone || cluster == ours)
					if got := has(ours); got != want {
						t.Errorf("want %t, got %t", want, got)
					}
					if !has("") {
						t.Error("want all of a manager without a filter")
					}
				})
			}
		}
	}
}

func TestWhichClustersAManagerConnects(t *testing.T) {
	t.Parallel()
	set := func(state string) client.Object {
		set := in(&v1alpha1.ClusterBundleSet{}, state)
		set.Spec.ClusterSelector.MatchLabels = map[string]string{"cni": "calico"}
		return set
	}
	left := func(state string) client.Object {
		cb := in(&v1alpha1.ClusterBundle{}, state)
		cb.Spec.ClusterName, cb.Finalizers = "x", []string{v1alpha1.UninstallFinalizer}
		return cb
	}
	tests := map[string]struct {
		cluster string
		given   client.Object
		want    bool
	}{
		"one that its set selects":             {ours, set(ours), true},
		"one from which it removes something":  {ours, left(ours), true},
		"not one that another's set selects":   {ours, set(others), false},
		"not one that a plain set selects":     {ours, set(plain), false},
		"not one from which another removes":   {ours, left(others), false},
		"not another's that its set selects":   {others, set(ours), false},
		"not a plain one that its set selects": {plain, set(ours), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader := fake.NewClientBuilder().WithScheme(testenv.Scheme()).WithObjects(tc.given).
				WithIndex(&v1alpha1.ClusterBundle{}, capi.ClusterField, func(o client.Object) []string {
					return []string{o.(*v1alpha1.ClusterBundle).Spec.ClusterName}
				}).Build()
			cluster := in(&clusterv1.Cluster{}, tc.cluster)
			if got := capi.Filter(ours).IsNeeded(t.Context(), reader, cluster); got != tc.want {
				t.Errorf("want %t, got %t", tc.want, got)
			}
		})
	}
}
