package release

import (
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Change returns for people which release takes the place of the one that was pinned,
// and why. It is empty if none does, or none was pinned.
func (q Query) Change(s Selection) string {
	switch {
	case q.Pinned.Version == "" || s.ReleaseReference == q.Pinned:
		return ""
	case s.Version == q.Pinned.Version:
		return fmt.Sprintf("release %s is pinned with its new content", line(s.Version))
	}
	return fmt.Sprintf("release %s is pinned in place of %s: %s", line(s.Version), line(q.Pinned.Version), q.why(s))
}

// why returns why another release is selected than the one that is pinned.
func (q Query) why(s Selection) string {
	switch {
	case s.IsRollback:
		return "rolled back: " + s.Failed.Message
	case s.Behind != nil && fault.ClassOf(s.Behind) == fault.ClassWait:
		return s.Behind.Error()
	}
	if why := q.unfit(); why != "" {
		return why
	}
	if before, after := candidateOf(q.Pinned.Version), candidateOf(s.Version); before.compare(after) < 0 {
		return line(s.Version) + " is newer"
	}
	return line(s.Version) + " is the newest that fits"
}

// unfit returns why the release that is pinned is not one to choose any more, empty if
// it is.
func (q Query) unfit() string {
	listed, ok := find(q.Bundle.Releases, q.Pinned.Version)
	if !ok {
		return "the Bundle no longer has " + line(q.Pinned.Version)
	}
	pinned, err := parse(listed)
	if err != nil {
		return ""
	}
	if cluster, err := parseKubernetes(q.Kubernetes); err == nil && cluster != nil && !accepts(pinned.kubernetes, cluster) {
		return needs(pinned, q.Kubernetes)
	}
	if q.Wanted != "" && !admits(listed, q.Wanted) {
		return line(q.Pinned.Version) + " does not admit Kubernetes " + line(q.Wanted) + ", which the Cluster is to have"
	}
	wanted, err := parseConstraint(q.Constraint)
	if err == nil && strings.TrimSpace(q.Constraint) != "" && !accepts(wanted, pinned.version) {
		return "the version constraint of the set is " + line(q.Constraint)
	}
	return ""
}

// candidateOf is a candidate of that version, which the choice has parsed before.
func candidateOf(version string) candidate {
	c, _ := parse(v1alpha1.Release{Version: version})
	return c
}
