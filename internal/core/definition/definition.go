package definition

import (
	"fmt"
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// Live is what matters of a CustomResourceDefinition in a workload cluster.
type Live struct {
	// Group, Kind and Plural are its names.
	Group, Kind, Plural string
	// Namespaced is true for objects that live in namespaces.
	Namespaced bool
	// Stored are the versions in which objects may be stored: status.storedVersions.
	Stored []string
}

// Losses returns, as phrases for people, why objects of a live definition would be
// lost or out of reach if it became the wanted one; none if they would not. These
// are the rules of the API server's validation of an update (it refuses most of it,
// object by object) and of sigs.k8s.io/crdify: a version in which objects may be
// stored, the scope and the kind stay.
func Losses(live Live, wanted manifest.CRD) []string {
	var losses []string
	for _, version := range live.Stored {
		if !slices.Contains(wanted.Versions, version) {
			losses = append(losses, fmt.Sprintf("version %s leaves, in which objects may be stored", version))
		}
	}
	if live.Namespaced != wanted.Namespaced {
		losses = append(losses, fmt.Sprintf("the scope changes from %s to %s", scope(live.Namespaced), scope(wanted.Namespaced)))
	}
	if live.Kind != wanted.Kind {
		losses = append(losses, fmt.Sprintf("the kind changes from %s to %s", live.Kind, wanted.Kind))
	}
	return losses
}

func scope(namespaced bool) string {
	if namespaced {
		return "Namespaced"
	}
	return "Cluster"
}
