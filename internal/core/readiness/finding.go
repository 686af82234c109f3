package readiness

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Finding is the readiness of one object.
type Finding struct {
	// Ready is true if the object has reached the state that its spec asks for.
	Ready bool
	// Stalled is true if the object does not become ready by waiting: somebody must
	// change something. It is never true together with Ready.
	Stalled bool
	// Reason is one of the reasons of api/v1alpha1: ReadyReason, or why not.
	Reason string
	// Message names the object and what was found, on one line of at most 1 KiB.
	Message string
}

func ready(message string) Finding {
	return Finding{Ready: true, Reason: v1alpha1.ReadyReason, Message: message}
}

func notReady(reason, message string) Finding {
	return Finding{Reason: reason, Message: message}
}

func stalled(reason, message string) Finding {
	return Finding{Stalled: true, Reason: reason, Message: message}
}

// maxText is how many bytes of a text from the cluster a message repeats.
const maxText = 200

func line(s string) string { return text.Line(s, maxText) }

// title names an object: its kind, and its namespace if it has one, and its name.
// The API server bounds all three.
func title(kind, namespace, name string) string {
	if namespace != "" {
		name = namespace + "/" + name
	}
	return kind + " " + name
}

func titleOf(obj *unstructured.Unstructured) string {
	return title(obj.GetKind(), obj.GetNamespace(), obj.GetName())
}

// condition is an element of status.conditions.
type condition struct {
	Status, Reason, Message string
	// observed is the generation that it is about; nil where it does not say.
	observed *int64
}

// conditionOf returns the condition of the given type. It is empty for an object
// that has none, as before its controller has seen it.
func conditionOf(obj *unstructured.Unstructured, kind string) condition {
	list, _, err := unstructured.NestedFieldNoCopy(obj.Object, "status", "conditions")
	conditions, ok := list.([]any)
	if err != nil || !ok {
		return condition{}
	}
	for _, element := range conditions {
		fields, ok := element.(map[string]any)
		if ok && fields["type"] == kind {
			found := condition{
				Status:  stringOf(fields["status"]),
				Reason:  stringOf(fields["reason"]),
				Message: stringOf(fields["message"]),
			}
			if generation, ok := fields["observedGeneration"].(int64); ok {
				found.observed = &generation
			}
			return found
		}
	}
	return condition{}
}

// stringOf returns value if it is a string.
func stringOf(value any) string {
	s, _ := value.(string)
	return s
}
