package clusterbundleset

import (
	"context"
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi/capitest"
)

// fleet returns a set, its Bundle, and as many Clusters with their ClusterBundles, which
// are Ready.
func fleet(size int) (set *v1alpha1.ClusterBundleSet, objects []client.Object) {
	labels := map[string]string{"cni": "calico"}
	bundle := &v1alpha1.Bundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "calico"}}
	bundle.Spec.Releases = []v1alpha1.Release{{Version: "3.32.1"}}
	set = &v1alpha1.ClusterBundleSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni", Generation: 1}}
	set.Spec.ClusterSelector.MatchLabels, set.Spec.Bundle.Name = labels, "calico"
	objects = []client.Object{set, bundle}
	for i := range size {
		cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{
			Namespace: "default", Name: fmt.Sprintf("cluster-%05d", i), Labels: labels,
		}}
		for _, kind := range []string{"Available", "Paused", "ControlPlaneInitialized", "InfrastructureReady", "TopologyReconciled"} {
			cluster.Status.Conditions = append(cluster.Status.Conditions, condition(kind))
		}
		cb := &v1alpha1.ClusterBundle{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "cni-" + cluster.Name}}
		cb.Spec.SetName, cb.Spec.ClusterName, cb.Spec.BundleName = "cni", cluster.Name, "calico"
		for _, kind := range []string{"Ready", "Applied", "UpToDate", "Paused", "Stalled", "Deleting"} {
			cb.Status.Conditions = append(cb.Status.Conditions, condition(kind))
		}
		cb.Status.Phases = []v1alpha1.PhaseStatus{{Name: "crds", Objects: 32}, {Name: "operator", Objects: 7}}
		objects = append(objects, cluster, cb)
	}
	return set, objects
}

func condition(kind string) metav1.Condition {
	status := metav1.ConditionTrue
	if kind == "Paused" || kind == "Stalled" || kind == "Deleting" {
		status = metav1.ConditionFalse
	}
	return metav1.Condition{Type: kind, Status: status, Reason: "Known", LastTransitionTime: metav1.NewTime(time.Unix(1, 0))}
}

// counting returns a function that counts a set of so many Clusters.
func counting(tb testing.TB, size int) func() {
	tb.Helper()
	set, objects := fleet(size)
	cache := capitest.NewCache(tb, objects...)
	r := &Reconciler{Client: reading{from: cache}, Bundles: capi.Bundles{Reader: cache}}
	return func() {
		gathered, err := r.gather(tb.Context(), set)
		if err != nil {
			tb.Fatal(err)
		}
		if err := setStatus(set, gathered); err != nil || *set.Status.Ready != int32(size) {
			tb.Fatalf("want %d ready, got %d, %v", size, *set.Status.Ready, err)
		}
	}
}

// BenchmarkSetCount counts a set of a thousand Clusters once.
func BenchmarkSetCount(b *testing.B) {
	count := counting(b, 1000)
	for b.Loop() {
		count()
	}
}

func TestASetIsCountedWithoutACopyOfEachCluster(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	const size = 500
	if allocated := testing.AllocsPerRun(5, counting(t, size)); allocated > size {
		t.Errorf("want less than one allocation for each of %d Clusters, got %.0f", size, allocated)
	}
}

// reading is a client that reads only.
type reading struct {
	client.Client
	from client.Reader
}

func (r reading) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return r.from.Get(ctx, key, object, options...)
}

func (r reading) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return r.from.List(ctx, list, options...)
}
