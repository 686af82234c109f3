package library

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// Kubernetes is what is known of the version of a workload cluster.
type Kubernetes struct {
	// Version of the API server; empty while it is not known.
	Version string
	// Unknown is why the version is not known; it does not matter if it is.
	Unknown error
}

// Select chooses, as release.Select does, the release of a Bundle that a workload
// cluster gets by the version constraint of its set. It is one that can be opened,
// so that a tag that moved to what cannot be fetched or read is not chosen: its
// errors are also those of Open.
func (l *Library) Select(
	bundle *v1alpha1.Bundle, constraint string, kubernetes Kubernetes,
) (release.Selection, error) {
	owner := types.NamespacedName{Namespace: bundle.Namespace, Name: bundle.Name}
	return release.Select(release.Query{
		Bundle: bundle.Spec, Constraint: constraint, Kubernetes: kubernetes.Version, Unknown: kubernetes.Unknown,
		Digest: func(candidate v1alpha1.Release) (v1alpha1.Digest, error) {
			opened, err := l.Open(owner, candidate, kubernetes.Version)
			if err != nil {
				return "", err
			}
			return opened.Digest, nil
		},
	})
}
