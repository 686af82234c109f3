package placement

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
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

func TestAManagerPlacesOnlyItsSetsOnItsClusters(t *testing.T) {
	t.Parallel()
	set := func() *v1alpha1.ClusterBundleSet { return theSet("cni") }
	cluster := func() *clusterv1.Cluster { return theCluster("prod") }
	placed := func(filter string) *v1alpha1.ClusterBundle {
		cb := &v1alpha1.ClusterBundle{}
		setDesired(cb, set(), cluster())
		cb.Namespace, cb.Name = "default", "cni-prod"
		return filteredBy(cb, filter)
	}
	tests := map[string]struct {
		given []client.Object
		want  []string // the ClusterBundles, each with its filter
	}{
		"both are this manager's":  {[]client.Object{filteredBy(set(), "one"), filteredBy(cluster(), "one")}, []string{"cni-prod one"}},
		"the set is another's":     {[]client.Object{filteredBy(set(), "two"), filteredBy(cluster(), "one")}, nil},
		"the Cluster is another's": {[]client.Object{filteredBy(set(), "one"), filteredBy(cluster(), "two")}, nil},
		"the Cluster is nobody's":  {[]client.Object{filteredBy(set(), "one"), cluster()}, nil},
		"the set is nobody's":      {[]client.Object{set(), filteredBy(cluster(), "one")}, nil},
		"another handed both over": {
			[]client.Object{filteredBy(set(), "one"), filteredBy(cluster(), "one"), placed("two")}, []string{"cni-prod one"},
		},
		"both were handed over to another": {
			[]client.Object{filteredBy(set(), "two"), filteredBy(cluster(), "two"), placed("one")}, []string{"cni-prod one"},
		},
		"its set is gone":     {[]client.Object{filteredBy(cluster(), "one"), placed("one")}, nil},
		"another set is gone": {[]client.Object{filteredBy(cluster(), "one"), placed("two")}, []string{"cni-prod two"}},
		"the set of a Cluster that is another's is gone": {
			[]client.Object{filteredBy(cluster(), "two"), placed("one")}, []string{"cni-prod one"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reconcilerWith(t, always{}, tc.given...)
			r.Filter = "one"
			if _, err := r.place(t.Context(), Placement{"default", "cni", "prod"}); err != nil {
				t.Log(err) // no release can be pinned: there is no Bundle
			}
			list := &v1alpha1.ClusterBundleList{}
			if err := r.Client.List(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, cb := range list.Items {
				got = append(got, cb.Name+" "+cb.Labels[clusterv1.WatchLabel])
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
