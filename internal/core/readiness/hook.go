package readiness

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Hook is Of for a hook of a chart, which has to run to its end: a Pod is ready
// when it has succeeded.
func Hook(obj *unstructured.Unstructured) Finding {
	finding := Of(obj)
	isPod := obj.GroupVersionKind().GroupKind() == podKind
	if finding.Ready && isPod && phaseOf(obj) != podSucceeded {
		return notReady(v1alpha1.WorkloadsNotReadyReason, titleOf(obj)+": Pod has not run to its end")
	}
	return finding
}
