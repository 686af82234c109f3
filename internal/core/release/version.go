package release

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// candidate is a release with its version and its constraint parsed.
type candidate struct {
	release    v1alpha1.Release
	version    *semver.Version
	kubernetes *semver.Constraints // nil accepts every version
}

// constrained reports whether the release depends on the version of Kubernetes.
func (c candidate) constrained() bool { return c.kubernetes != nil }

// isStable reports whether the release is not a pre-release.
func (c candidate) isStable() bool { return c.version.Prerelease() == "" }

// compare is negative if c is older than o.
func (c candidate) compare(o candidate) int {
	return cmp.Or(
		c.version.Compare(o.version),
		compareMetadata(c.version.Metadata(), o.version.Metadata()),
		cmp.Compare(c.release.Version, o.release.Version),
	)
}

// compareMetadata orders build metadata, which semantic versioning leaves without
// an order, as that orders pre-releases: build.9 before build.10. None is before any.
func compareMetadata(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(a), len(b))
	}
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), compareIdentifiers)
}

func compareIdentifiers(a, b string) int {
	m, aErr := strconv.ParseUint(a, 10, 64)
	n, bErr := strconv.ParseUint(b, 10, 64)
	switch {
	case aErr == nil && bErr == nil:
		return cmp.Or(cmp.Compare(m, n), cmp.Compare(a, b))
	case aErr == nil:
		return -1
	case bErr == nil:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

// parseAll parses the releases and returns them newest first. Of several errors
// it returns the one with the lowest text, so that their order does not matter.
func parseAll(releases []v1alpha1.Release) ([]candidate, error) {
	all := make([]candidate, 0, len(releases))
	var broken []error
	for _, r := range releases {
		c, err := parse(r)
		if err != nil {
			broken = append(broken, err)
			continue
		}
		all = append(all, c)
	}
	if len(broken) > 0 {
		return nil, slices.MinFunc(broken, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	}
	slices.SortFunc(all, func(a, b candidate) int { return b.compare(a) })
	return all, nil
}

func parse(r v1alpha1.Release) (candidate, error) {
	version, err := parseVersion(r.Version)
	if err != nil {
		return candidate{}, invalid("release %s: version: %w", quote(r.Version), err)
	}
	c := candidate{release: r, version: version}
	if strings.TrimSpace(r.Kubernetes) == "" {
		return c, nil
	}
	if c.kubernetes, err = parseConstraint(r.Kubernetes); err != nil {
		return candidate{}, invalid("release %s: kubernetes constraint %s: %w",
			line(r.Version), quote(r.Kubernetes), err)
	}
	return c, nil
}

// parseVersion parses the version of a release.
func parseVersion(version string) (*semver.Version, error) {
	return semver.StrictNewVersion(strings.TrimPrefix(version, "v"))
}

// errConstraint replaces the library's error, which repeats the constraint.
var errConstraint = errors.New("is not a semantic version constraint")

func parseConstraint(constraint string) (*semver.Constraints, error) {
	if strings.TrimSpace(constraint) == "" {
		constraint = "*"
	}
	c, err := semver.NewConstraint(constraint)
	if err != nil {
		return nil, errConstraint
	}
	return c, nil
}

// parseKubernetes parses the version of a cluster without the suffix of its
// vendor. It returns nil for an empty version.
func parseKubernetes(version string) (*semver.Version, error) {
	if version == "" {
		return nil, nil
	}
	core, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), "+")
	if before, suffix, found := strings.Cut(core, "-"); found && !prerelease(suffix) {
		core = before
	}
	return semver.StrictNewVersion(core)
}

// prerelease reports whether suffix is one that Kubernetes gives to what comes
// before a release: alpha.1, beta.0, rc.1, and with more behind it.
func prerelease(suffix string) bool {
	name, _, _ := strings.Cut(suffix, ".")
	return slices.Contains([]string{"alpha", "beta", "rc"}, strings.TrimRight(name, "0123456789"))
}

// accepts reports whether v satisfies c. A nil constraint is satisfied by every
// version, and by one that is not known.
func accepts(c *semver.Constraints, v *semver.Version) bool {
	return c == nil || v != nil && c.Check(v)
}
