package readiness

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Of returns the finding about an object by its kind: that of Workload for one that
// is built in, else that of StandardConditions. An APIService is ready by its
// condition too: kstatus does not look at it.
func Of(obj *unstructured.Unstructured) Finding {
	kind := obj.GroupVersionKind().GroupKind()
	if kind != apiServiceKind && manifest.IsBuiltIn(kind.Group, kind.Kind) {
		return Workload(obj)
	}
	return StandardConditions(obj)
}

var apiServiceKind = schema.GroupKind{Group: "apiregistration.k8s.io", Kind: "APIService"}

// standardConditions are those that tell that an object is ready, the first of those
// that it has.
var standardConditions = []string{"Ready", "Available"}

// StandardConditions returns the finding about an object by the conditions that
// controllers write by convention
// (https://github.com/kubernetes/community/blob/main/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties):
// ready if Ready or, where that is missing, Available is True, and stalled if Stalled
// is. What was written about an older generation does not count, and an object
// without any of them is not ready: its controller may not have seen it.
//
// The reason is ReadyReason or WorkloadsNotReadyReason.
func StandardConditions(obj *unstructured.Unstructured) Finding {
	name := titleOf(obj)
	if obj.GetDeletionTimestamp() != nil {
		return notReady(v1alpha1.WorkloadsNotReadyReason, name+": is being deleted")
	}
	if observed, found, _ := unstructured.NestedInt64(obj.Object, "status", "observedGeneration"); found && observed < obj.GetGeneration() {
		return notReady(v1alpha1.WorkloadsNotReadyReason, name+": not observed by its controller yet")
	}
	if c := conditionOf(obj, "Stalled"); c.Status == "True" {
		return stalled(v1alpha1.WorkloadsNotReadyReason, name+": "+explain(c, "is stalled"))
	}
	for _, kind := range standardConditions {
		c := conditionOf(obj, kind)
		switch {
		case c.Status == "":
		case c.observed != nil && *c.observed < obj.GetGeneration():
			return notReady(v1alpha1.WorkloadsNotReadyReason, name+": not observed by its controller yet")
		case c.Status == "True":
			return ready(fmt.Sprintf("%s is %s", name, kind))
		default:
			return notReady(v1alpha1.WorkloadsNotReadyReason, fmt.Sprintf("%s is not %s: %s", name, kind, explain(c, "no reason is given")))
		}
	}
	return notReady(v1alpha1.WorkloadsNotReadyReason, name+" has neither the condition Ready nor Available")
}
