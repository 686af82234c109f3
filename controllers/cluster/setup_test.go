package cluster

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

func TestAClusterIsLookedAtWhenItsConditionMayBeAnotherOne(t *testing.T) {
	t.Parallel()
	condition := func(kind, message string) func(*clusterv1.Cluster) {
		return func(c *clusterv1.Cluster) {
			conditions.Set(c, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Because", Message: message})
		}
	}
	for name, test := range map[string]struct {
		change func(*clusterv1.Cluster)
		want   bool
	}{
		"a label":                             {func(c *clusterv1.Cluster) { c.Labels["addons"] = "none" }, true},
		"a pause":                             {func(c *clusterv1.Cluster) { c.Spec.Paused = new(true) }, true},
		"the condition, by somebody else":     {condition(v1alpha1.AddonBundlesReadyCondition, ""), true},
		"a condition of Cluster API":          {condition(clusterv1.ClusterAvailableCondition, "another"), false},
		"another field of the spec":           {func(c *clusterv1.Cluster) { c.Spec.ControlPlaneEndpoint.Host = "host" }, false},
		"a phase, as Cluster API's heartbeat": {func(c *clusterv1.Cluster) { c.Status.Phase = "Provisioned" }, false},
	} {
		if got := clusterChanged().Update(event.UpdateEvent{ObjectOld: prod(), ObjectNew: prod(test.change)}); got != test.want {
			t.Errorf("%s: want %t, got %t", name, test.want, got)
		}
	}
}

// immediate is a queue that does not delay.
type immediate struct {
	workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func (q immediate) AddAfter(item reconcile.Request, _ time.Duration) { q.Add(item) }

func TestEventsOfSetsAndClusterBundlesLeadToTheirClusters(t *testing.T) {
	t.Parallel()
	r := reconcilerWith(t, prod(), prod(func(c *clusterv1.Cluster) { c.Name, c.Labels = "test", map[string]string{"addons": "other"} }))
	unusable := set("cni")
	unusable.Spec.ClusterSelector.MatchLabels = nil
	for name, test := range map[string]struct {
		clusters func(context.Context, client.Object) []types.NamespacedName
		old, new client.Object
		want     []string
	}{
		"a ClusterBundle":                       {clusterBundleToCluster, delivered("cni", metav1.ConditionTrue, ""), delivered("cni", metav1.ConditionFalse, ""), []string{"prod"}},
		"a set that selects others than before": {r.setToClusters, set("cni"), set("cni", selecting("other")), []string{"prod", "test"}},
		"a set that cannot be used any more":    {r.setToClusters, set("cni"), unusable, []string{"prod"}},
	} {
		q := immediate{workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())}
		capi.Delayed(test.clusters, sumDelay).Update(t.Context(), event.UpdateEvent{ObjectOld: test.old, ObjectNew: test.new}, q)
		var got []string
		for q.Len() > 0 {
			item, _ := q.Get()
			got = append(got, item.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
