package release

import (
	"slices"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// target returns the release to have: the newest that admits both the version of
// Kubernetes that the cluster has and the one that it is to be upgraded to. Where none
// does it is the newest for the version that the cluster has, and held is why the
// upgrade cannot go on. Errors are those of Choose.
func (q Query) target() (target v1alpha1.Release, held, err error) {
	target, err = Choose(q.Bundle.Releases, q.Constraint, q.Kubernetes)
	if err != nil || q.Wanted == "" {
		return target, nil, err
	}
	admitting := slices.DeleteFunc(slices.Clone(q.Bundle.Releases), func(r v1alpha1.Release) bool {
		return !admits(r, q.Wanted)
	})
	if both, err := Choose(admitting, q.Constraint, q.Kubernetes); err == nil {
		return both, nil, nil
	}
	return target, fault.Stallf(v1alpha1.KubernetesUpgradeHeldReason,
		"no release admits both Kubernetes %s and %s, which the topology of the Cluster asks for: add one to the "+
			"Bundle, or let the upgrade go on with kubernetesUpgrades: Allow", line(q.Kubernetes), line(q.Wanted)), nil
}

// forUpgrade returns the selection with what it means for the upgrade.
func (q Query) forUpgrade(selected Selection, held error) Selection {
	if selected.Behind == nil {
		selected.Behind = held
	}
	selected.AdmitsWanted = q.admitsWanted(selected.Version)
	return selected
}

// admitsWanted reports whether the release of that version admits the version of
// Kubernetes that the cluster is to be upgraded to.
func (q Query) admitsWanted(version string) bool {
	listed, ok := find(q.Bundle.Releases, version)
	return ok && q.Wanted != "" && admits(listed, q.Wanted)
}

// admits reports whether a release admits a version of Kubernetes. One of which either
// cannot be parsed does not.
func admits(r v1alpha1.Release, kubernetes string) bool {
	c, err := parse(r)
	version, versionErr := parseKubernetes(kubernetes)
	return err == nil && versionErr == nil && accepts(c.kubernetes, version)
}
