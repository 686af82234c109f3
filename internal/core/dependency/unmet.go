package dependency

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// Other is a set that another one depends on, on one Cluster.
type Other struct {
	// Set and Cluster are the names.
	Set, Cluster string
	// Parent is that of the set in the workload cluster, empty if there is none.
	Parent *corev1.ConfigMap
	// Delivers is true if the set has a ClusterBundle for the Cluster.
	Delivers bool
}

// Unmet returns what the set that depends on the other one waits for: a fault.Wait
// that a watch ends. It is nil if a release of the other one is complete on the
// Cluster, also if that set is gone: what it delivered is there.
func (o Other) Unmet() error {
	if inventory.IsSettled(o.Parent) {
		return nil
	}
	return fault.Wait(v1alpha1.DependencyNotReadyReason, 0, fmt.Errorf("waits for ClusterBundleSet %s, which %s", o.Set, o.state()))
}

func (o Other) state() string {
	phase := inventory.PhaseOf(o.Parent)
	switch {
	case !o.Delivers:
		return "does not deliver to Cluster " + o.Cluster
	case phase == "":
		return "has not begun on this Cluster"
	}
	return fmt.Sprintf("is at phase %s of release %s", phase, inventory.RecordOf(o.Parent).Version)
}
