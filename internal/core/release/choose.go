package release

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Choose returns the newest release that satisfies constraint and whose own
// Kubernetes constraint accepts the version of the cluster.
//
// Both constraints are in the form of github.com/Masterminds/semver; an empty
// one accepts every version without a pre-release part. A pre-release satisfies
// a constraint only if the constraint names one itself, as in ">=3.33.0-0".
//
// The Kubernetes version may have a leading v and the suffix of a vendor:
// v1.34.2+k3s1, v1.33.0-eks-abc, v1.35.1-gke.100. Such a suffix names a build of
// that release and not something before it, so it is left out. What Kubernetes
// itself calls a pre-release (alpha, beta or rc) stays one: v1.37.0-rc.0 is
// accepted by ">=1.36.0-0" and not by ">=1.36.0".
//
// Releases that differ by build metadata only are ordered by that, identifier by
// identifier as semantic versioning orders pre-releases, and last by their text.
// The versions of the releases are expected to differ, as the API demands.
//
// The errors are of internal/core/fault: Stall with ConstraintInvalidReason for a
// version or a constraint that cannot be parsed, in any release; Stall with
// NoReleaseFitsReason if no release is left; Wait with VersionNotChosenReason if
// the Kubernetes version is empty, which means not known yet, and a release that
// satisfies constraint has a Kubernetes constraint.
func Choose(releases []v1alpha1.Release, constraint, kubernetes string) (v1alpha1.Release, error) {
	all, err := parseAll(releases)
	if err != nil {
		return v1alpha1.Release{}, err
	}
	wanted, err := parseConstraint(constraint)
	if err != nil {
		return v1alpha1.Release{}, invalid("version constraint %s: %w", quote(constraint), err)
	}
	cluster, err := parseKubernetes(kubernetes)
	if err != nil {
		return v1alpha1.Release{}, invalid("version of Kubernetes %s: %w", quote(kubernetes), err)
	}

	candidates := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool {
		return !accepts(wanted, c.version)
	})
	if len(candidates) == 0 {
		return v1alpha1.Release{}, noneSatisfies(all, constraint)
	}
	if cluster == nil && slices.ContainsFunc(candidates, candidate.constrained) {
		return v1alpha1.Release{}, fault.Wait(v1alpha1.VersionNotChosenReason, 0, errUnknown)
	}
	for _, c := range candidates {
		if accepts(c.kubernetes, cluster) {
			return c.release, nil
		}
	}
	return v1alpha1.Release{}, noneFits(candidates, kubernetes)
}

// errUnknown means that a release cannot be chosen before the version is known.
var errUnknown = errors.New("the Kubernetes version of the cluster is not known yet")

// listed is how many releases a message names.
const listed = 5

// noneSatisfies is the error for a constraint that no release satisfies. It
// names the newest releases there are.
func noneSatisfies(all []candidate, constraint string) error {
	if len(all) == 0 {
		return fault.Stallf(v1alpha1.NoReleaseFitsReason, "the bundle has no releases")
	}
	wanted := "satisfies the version constraint " + quote(constraint)
	if strings.TrimSpace(constraint) == "" {
		wanted = "is stable"
	}
	return fault.Stallf(v1alpha1.NoReleaseFitsReason, "no release %s, the releases are: %s",
		wanted, list(all, func(c candidate) string { return line(c.release.Version) }))
}

// noneFits is the error for candidates that do not accept the cluster's version.
func noneFits(candidates []candidate, kubernetes string) error {
	return fault.Stallf(v1alpha1.NoReleaseFitsReason, "no release fits: %s",
		list(candidates, func(c candidate) string { return needs(c, kubernetes) }))
}

// needs is why a release is not for the version of Kubernetes.
func needs(c candidate, kubernetes string) string {
	return fmt.Sprintf("%s needs Kubernetes %s, the cluster has %s",
		line(c.release.Version), line(c.release.Kubernetes), line(kubernetes))
}

// list joins the descriptions of the newest candidates, and counts the others.
func list(candidates []candidate, describe func(candidate) string) string {
	texts := make([]string, len(candidates))
	for i, c := range candidates {
		texts[i] = describe(c)
	}
	return text.List(texts, listed, "; ")
}

// shown is how many bytes of a text from outside a message repeats. With listed
// it keeps every message below the 1 KiB that a condition is to have.
const shown = 48

func line(s string) string { return text.Line(s, shown) }

func quote(s string) string { return text.Quote(s, shown) }

func invalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ConstraintInvalidReason, format, args...)
}
