package release

import (
	"cmp"
	"slices"

	"github.com/Masterminds/semver/v3"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// minor is a minor version, as 3.32.
type minor struct{ major, minor uint64 }

func minorOf(v *semver.Version) minor { return minor{v.Major(), v.Minor()} }

func (m minor) compare(o minor) int {
	return cmp.Or(cmp.Compare(m.major, o.major), cmp.Compare(m.minor, o.minor))
}

// isLaterMinor reports whether the target is of a later minor version than what is
// pinned. It is not where nothing is pinned that can be compared.
func isLaterMinor(pinned, target string) bool {
	from, fromErr := parseVersion(pinned)
	to, toErr := parseVersion(target)
	return fromErr == nil && toErr == nil && minorOf(from).compare(minorOf(to)) < 0
}

// Next returns the release to pin on the way from the one that is pinned, which the
// releases need not have any more, to the target, which is one of them, so that no
// minor version is skipped: the newest stable release of the next minor version that
// admits the version of Kubernetes, or the target itself. Over a major version the way
// leads through the newest minor version of the old one that is listed to the first
// one of the next. To an older release, to one of the same minor version, and from
// none, it is direct.
//
// The error is a fault.Stall with NoUpgradePathReason where the releases lack what the
// way leads through, or that does not admit the version of Kubernetes; and those of
// Choose for releases that cannot be parsed and a version of Kubernetes that is not
// known.
func Next(
	releases []v1alpha1.Release, pinned string, target v1alpha1.Release, kubernetes string,
) (v1alpha1.Release, error) {
	if !isLaterMinor(pinned, target.Version) {
		return target, nil
	}
	all, err := parseAll(releases)
	if err != nil {
		return v1alpha1.Release{}, err
	}
	from, _ := parseVersion(pinned) // isLaterMinor could
	to, _ := parseVersion(target.Version)
	next, ok := following(minorsOf(all, minorOf(to)), minorOf(from), minorOf(to))
	if !ok {
		return v1alpha1.Release{}, noPath("%s to %s leads through major version %d, of which no release is listed",
			line(pinned), line(target.Version), from.Major()+1)
	}
	if next == minorOf(to) {
		return target, nil
	}
	found, err := newestOf(all, next, kubernetes)
	if err != nil {
		return v1alpha1.Release{}, fault.Wrap("the way from "+line(pinned)+" to "+line(target.Version), err)
	}
	return found, nil
}

// minorsOf returns the minor versions that have a stable release, sorted, and that of
// the target, which may have none.
func minorsOf(all []candidate, target minor) []minor {
	minors := []minor{target}
	for _, c := range all {
		if c.isStable() {
			minors = append(minors, minorOf(c.version))
		}
	}
	slices.SortFunc(minors, minor.compare)
	return slices.Compact(minors)
}

// following returns the minor version that follows from on the way to a later one, of
// those that are listed. It may not be one of them. It is false if no minor version of
// the next major version is listed.
func following(listed []minor, from, to minor) (minor, bool) {
	isLast := !slices.ContainsFunc(listed, func(m minor) bool { return m.major == from.major && m.minor > from.minor })
	if from.major == to.major || !isLast {
		return minor{from.major, from.minor + 1}, true
	}
	i := slices.IndexFunc(listed, func(m minor) bool { return m.major == from.major+1 })
	if i < 0 {
		return minor{}, false
	}
	return listed[i], true
}

// newestOf returns the newest stable release of a minor version that admits the
// version of Kubernetes.
func newestOf(all []candidate, of minor, kubernetes string) (v1alpha1.Release, error) {
	cluster, err := parseKubernetes(kubernetes)
	if err != nil {
		return v1alpha1.Release{}, invalid("version of Kubernetes %s: %w", quote(kubernetes), err)
	}
	ofMinor := slices.DeleteFunc(slices.Clone(all), func(c candidate) bool { return !c.isStable() || minorOf(c.version) != of })
	if len(ofMinor) == 0 {
		return v1alpha1.Release{}, noPath("no release of %d.%d is listed", of.major, of.minor)
	}
	if cluster == nil && slices.ContainsFunc(ofMinor, candidate.constrained) {
		return v1alpha1.Release{}, fault.Wait(v1alpha1.VersionNotChosenReason, 0, errUnknown)
	}
	for _, c := range ofMinor {
		if accepts(c.kubernetes, cluster) {
			return c.release, nil
		}
	}
	return v1alpha1.Release{}, noPath("%s", needs(ofMinor[0], kubernetes))
}

func noPath(format string, args ...any) error {
	return fault.Stallf(v1alpha1.NoUpgradePathReason, format, args...)
}
