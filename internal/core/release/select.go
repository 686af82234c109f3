package release

import (
	"errors"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Query holds what the choice of a release for one workload cluster depends on.
type Query struct {
	// Bundle has the releases.
	Bundle v1alpha1.BundleSpec
	// Constraint is that of the set on the version of the release; empty for none.
	Constraint string
	// Kubernetes is the version of the workload cluster; empty while it is not known.
	Kubernetes string
	// Unknown is why Kubernetes is not known; it does not matter if it is.
	Unknown error
	// Digest returns the digest of the content of a release.
	Digest func(r v1alpha1.Release) (v1alpha1.Digest, error)
}

// Selection is the release that a workload cluster gets.
type Selection struct {
	// Version of the release.
	Version string
	// Digest of its content.
	Digest v1alpha1.Digest
}

// Select chooses the release that a workload cluster gets, as Choose does, with
// the digest of what is delivered. Its errors are those of Choose, of
// WithVerifyPolicy and of Query.Digest, and Query.Unknown where the choice or the
// content depends on a version of Kubernetes that is not known.
func Select(q Query) (Selection, error) {
	chosen, err := Choose(q.Bundle.Releases, q.Constraint, q.Kubernetes)
	if errors.Is(err, errUnknown) && q.Unknown != nil {
		return Selection{}, q.Unknown
	}
	if err != nil {
		return Selection{}, err
	}
	if q.Kubernetes == "" && q.Unknown != nil && NeedsKubernetes(chosen) {
		return Selection{}, q.Unknown
	}
	delivered, err := WithVerifyPolicy(q.Bundle, chosen)
	if err != nil {
		return Selection{}, err
	}
	digest, err := q.Digest(delivered)
	if err != nil {
		return Selection{}, err
	}
	return Selection{Version: chosen.Version, Digest: digest}, nil
}
