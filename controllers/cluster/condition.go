package cluster

import (
	"cmp"
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/conditions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

const (
	// maxNamed is how many sets a message names.
	maxNamed = 4

	// maxHolding is how many sets a message names of those that hold an upgrade back.
	maxHolding = 2

	// maxWhy bounds in bytes what is repeated of each set: with maxNamed less than a
	// message may have.
	maxWhy = 180

	// maxVersion bounds a version in bytes.
	maxVersion = 48
)

// summary returns the condition of a Cluster, nil if no set selects it. A notice goes
// before the message.
func summary(addons []addon, notice string) *metav1.Condition {
	if len(addons) == 0 {
		return nil
	}
	var waiting []string
	for _, a := range addons {
		if why := notReady(a.delivered); why != "" {
			waiting = append(waiting, a.set.Name+": "+text.Line(why, maxWhy))
		}
	}
	if len(waiting) == 0 {
		return &metav1.Condition{
			Type: v1alpha1.AddonBundlesReadyCondition, Status: metav1.ConditionTrue, Reason: v1alpha1.ReadyReason,
			Message: status.Message(notice),
		}
	}
	return &metav1.Condition{
		Type: v1alpha1.AddonBundlesReadyCondition, Status: metav1.ConditionFalse, Reason: v1alpha1.NotReadyReason,
		Message: status.Message(strings.TrimPrefix(notice+"; ", "; ") + text.List(waiting, maxNamed, "; ")),
	}
}

// notReady returns why a ClusterBundle is not Ready, empty if it is.
func notReady(cb *v1alpha1.ClusterBundle) string {
	if cb == nil {
		return "has no ClusterBundle yet"
	}
	ready := meta.FindStatusCondition(cb.Status.Conditions, v1alpha1.ReadyCondition)
	switch {
	case ready == nil:
		return "has not begun"
	case ready.Status == metav1.ConditionTrue:
		return ""
	}
	return cmp.Or(ready.Message, ready.Reason)
}

// setCondition makes the condition of a Cluster the wanted one, or removes it, where it
// differs in anything but its generation and its time. Like Cluster API's controllers it
// writes the list as it read it, with its own condition, and only to the version that it
// read: what another controller wrote meanwhile is a conflict, and is kept.
func (r *Reconciler) setCondition(ctx context.Context, cluster *clusterv1.Cluster, wanted *metav1.Condition) error {
	before := cluster.DeepCopy()
	has := conditions.Get(cluster, v1alpha1.AddonBundlesReadyCondition)
	switch {
	case wanted == nil && has == nil:
		return nil
	case wanted == nil:
		conditions.Delete(cluster, v1alpha1.AddonBundlesReadyCondition)
	case has != nil && conditions.HasSameStateExceptObservedGeneration(has, wanted):
		return nil
	default:
		conditions.Set(cluster, *wanted)
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	return r.Client.Status().Patch(ctx, cluster, patch)
}
