package release

import (
	"errors"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Query holds what the choice of a release for one workload cluster depends on.
type Query struct {
	// Bundle has the releases.
	Bundle v1alpha1.BundleSpec
	// Constraint is that of the set on the version of the release; empty for none.
	Constraint string
	// Kubernetes is the version of the workload cluster; empty while it is not known.
	Kubernetes string
	// Wanted is the version of Kubernetes that the workload cluster is to be upgraded
	// to once a release admits it; empty where releases do not hold that back.
	Wanted string
	// Unknown is why Kubernetes is not known; it does not matter if it is.
	Unknown error
	// Edits are those of the set.
	Edits v1alpha1.Edits
	// Digest returns the digest of the content of a release.
	Digest func(r v1alpha1.Release) (v1alpha1.Digest, error)

	// Pinned is the release that the cluster has; empty for none.
	Pinned v1alpha1.ReleaseReference
	// Ready means that Pinned is Ready there.
	Ready bool
	// EachMinor means that no minor version is skipped.
	EachMinor bool
	// Previous and Failed are those of the ClusterBundle, nil where nothing is rolled
	// back.
	Previous *v1alpha1.ReleaseReference
	Failed   *v1alpha1.FailedRelease
	// Failure is why Pinned has failed before it was complete; empty if it has not, or
	// nothing is rolled back.
	Failure string
}

// QueryOf returns the query for the release that a set gives the Cluster of one of its
// ClusterBundles, without the Bundle and its digests.
func QueryOf(
	set *v1alpha1.ClusterBundleSet, cb *v1alpha1.ClusterBundle, kubernetes string, unknown error,
) Query {
	q := Query{
		Constraint: set.Spec.Bundle.Version, Edits: set.Spec.Edits, Kubernetes: kubernetes, Unknown: unknown,
		Pinned:    v1alpha1.ReleaseReference{Version: cb.Spec.Version, Digest: cb.Spec.Digest},
		Ready:     IsReady(cb),
		EachMinor: set.Spec.UpgradePath == v1alpha1.EachMinorUpgradePath,
	}
	if cb.Spec.KubernetesUpgrade != nil {
		q.Wanted = cb.Spec.KubernetesUpgrade.Version
	}
	if set.Spec.RollbackOnFailure != nil && *set.Spec.RollbackOnFailure {
		q.Previous, q.Failed, q.Failure = cb.Spec.Previous, cb.Spec.Failed, FailureOf(cb)
	}
	return q
}

// Selection is the release that a workload cluster gets.
type Selection struct {
	v1alpha1.ReleaseReference

	// Behind is why that is not the release to have: a fault.Wait for one on the way
	// there, a fault.Stall where there is no way. Nil if it is.
	Behind error
	// AdmitsWanted means that the release admits Query.Wanted.
	AdmitsWanted bool
	// Failed is what the ClusterBundle is to remember as rolled back from.
	Failed *v1alpha1.FailedRelease
	// IsRollback means that the release returns in place of Failed.
	IsRollback bool
}

// Select chooses the release that a workload cluster gets: the one that Choose
// chooses, or by EachMinor the next on the way there, with the digest of what is
// delivered. One that was rolled back from is not chosen with the same content. Where
// an upgrade of Kubernetes is wanted, the release is one that admits both versions, if
// there is one.
//
// Its errors are those of Choose, of Next, of WithVerifyPolicy and of Query.Digest, and
// Query.Unknown where the choice or the content depends on a version of Kubernetes that
// is not known. Where the release that is pinned is chosen since no other can be, the
// reason is in Selection.Behind.
func Select(q Query) (Selection, error) {
	target, held, err := q.target()
	if err != nil {
		return Selection{}, q.explained(err)
	}
	selected, err := q.step(target)
	if err != nil {
		return Selection{}, q.explained(err)
	}
	switch {
	case q.Failed != nil && selected.ReleaseReference == q.Failed.ReleaseReference && q.Pinned != selected.ReleaseReference:
		selected, err = q.stay(rolledBack(q.Failed))
	case q.Failure != "" && selected.ReleaseReference == q.Pinned:
		selected, err = q.rollBack(selected)
	}
	if selected.Failed == nil && selected.Behind != nil && selected.Version == q.Pinned.Version {
		selected.Failed = q.Failed
	}
	return q.forUpgrade(selected, held), err
}

// explained returns the error of a choice with why the version of Kubernetes is not
// known, if it is for that.
func (q Query) explained(err error) error {
	if errors.Is(err, errUnknown) && q.Unknown != nil {
		return q.Unknown
	}
	return err
}

// step selects the release to pin on the way to the target.
func (q Query) step(target v1alpha1.Release) (Selection, error) {
	if !q.EachMinor || !isLaterMinor(q.Pinned.Version, target.Version) {
		return q.identify(target, nil)
	}
	onTheWay := fault.Wait(v1alpha1.ProgressingReason, 0, fmt.Errorf("on the way to %s", line(target.Version)))
	if held, ok := holding(q.Bundle.Releases, q.Pinned.Version, q.Kubernetes); !q.Ready && ok {
		return q.identify(held, onTheWay)
	}
	next, err := Next(q.Bundle.Releases, q.Pinned.Version, target, q.Kubernetes)
	switch {
	case fault.ReasonOf(err, "") == v1alpha1.NoUpgradePathReason:
		return q.stay(err)
	case err != nil:
		return Selection{}, err
	case next.Version == target.Version:
		return q.identify(target, nil)
	}
	return q.identify(next, onTheWay)
}

// stay selects the release that is pinned, with the content that it has now. Where
// the Bundle no longer has it the reason is the error.
func (q Query) stay(behind error) (Selection, error) {
	listed, ok := find(q.Bundle.Releases, q.Pinned.Version)
	if !ok {
		return Selection{}, behind
	}
	return q.identify(listed, behind)
}

// identify returns the selection of a release, with the digest of its content.
func (q Query) identify(chosen v1alpha1.Release, behind error) (Selection, error) {
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
	return Selection{
		ReleaseReference: v1alpha1.ReleaseReference{Version: chosen.Version, Digest: digest}, Behind: behind,
	}, nil
}

// holding returns the release that a cluster has until it is ready: the one that is
// pinned, or, where the Bundle no longer has it, the newest of its minor version. It is
// false if there is none: then there is nothing to wait for.
func holding(releases []v1alpha1.Release, pinned, kubernetes string) (v1alpha1.Release, bool) {
	if listed, ok := find(releases, pinned); ok {
		return listed, true
	}
	version, err := parseVersion(pinned)
	all, allErr := parseAll(releases)
	if err != nil || allErr != nil {
		return v1alpha1.Release{}, false
	}
	newest, err := newestOf(all, minorOf(version), kubernetes)
	return newest, err == nil
}

func find(releases []v1alpha1.Release, version string) (v1alpha1.Release, bool) {
	for _, r := range releases {
		if r.Version == version {
			return r, true
		}
	}
	return v1alpha1.Release{}, false
}
