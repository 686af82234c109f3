package rollout

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// giveWay reports whether an object gives way to the live one: to that of anybody else,
// whose labels would go if it were taken over. One that a set made in the same way is
// shared, or taken over, as any other.
func giveWay(object *plan.Object, view inventory.View, live *metav1.PartialObjectMetadata) bool {
	return object.GivesWay && live != nil && !view.Terminating && view.Claim != inventory.Ours &&
		live.Annotations[inventory.SHA256Annotation] != object.Sum()
}
