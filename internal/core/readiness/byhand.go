package readiness

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// replicas are the fields that tell how many Pods a kind wants and has.
type replicas struct {
	// isByHand reports whether somebody else says when Pods are replaced.
	isByHand func(obj *unstructured.Unstructured) bool
	// wanted and available are the paths of the numbers of Pods; otherwise is how many
	// are wanted where the object does not say.
	wanted, available []string
	otherwise         int64
}

// byHand are the kinds whose Pods somebody else may replace, when that suits. Until
// then some are of an older revision, for which kstatus waits.
var byHand = map[schema.GroupKind]replicas{
	{Group: "apps", Kind: "Deployment"}: {
		isPaused, []string{"spec", "replicas"}, []string{"status", "availableReplicas"}, 1,
	},
	{Group: "apps", Kind: "StatefulSet"}: {
		isOnDelete, []string{"spec", "replicas"}, []string{"status", "availableReplicas"}, 1,
	},
	{Group: "apps", Kind: "DaemonSet"}: {
		isOnDelete, []string{"status", "desiredNumberScheduled"}, []string{"status", "numberAvailable"}, 0,
	},
}

func isPaused(obj *unstructured.Unstructured) bool {
	paused, _, _ := unstructured.NestedBool(obj.Object, "spec", "paused")
	return paused
}

func isOnDelete(obj *unstructured.Unstructured) bool {
	strategy, _, _ := unstructured.NestedString(obj.Object, "spec", "updateStrategy", "type")
	return strategy == "OnDelete"
}

// replacedByHand returns the finding about an object whose Pods somebody else
// replaces, and whether it is one: it is ready when it is observed and all its Pods
// are available, of whatever revision.
func replacedByHand(obj *unstructured.Unstructured) (Finding, bool) {
	kind, ok := byHand[obj.GroupVersionKind().GroupKind()]
	if !ok || !kind.isByHand(obj) {
		return Finding{}, false
	}
	observed, _, _ := unstructured.NestedInt64(obj.Object, "status", "observedGeneration")
	if observed < obj.GetGeneration() {
		return notReady(v1alpha1.WorkloadsNotReadyReason, titleOf(obj)+": not observed by its controller yet"), true
	}
	wanted, found, _ := unstructured.NestedInt64(obj.Object, kind.wanted...)
	if !found {
		wanted = kind.otherwise
	}
	available, _, _ := unstructured.NestedInt64(obj.Object, kind.available...)
	message := fmt.Sprintf("%s: Available: %d/%d", titleOf(obj), available, wanted)
	if available < wanted {
		return notReady(v1alpha1.WorkloadsNotReadyReason, message), true
	}
	return ready(message), true
}
