package release

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxFailure bounds in bytes what is remembered of a failure.
const maxFailure = 512

// rollBack selects the release that was Ready before the one that failed, which is
// selected and stays so where there is none, or the Bundle no longer has it with the
// same content.
func (q Query) rollBack(selected Selection) (Selection, error) {
	if q.Previous == nil || *q.Previous == q.Pinned {
		return selected, nil
	}
	listed, ok := find(q.Bundle.Releases, q.Previous.Version)
	if !ok {
		return selected, nil
	}
	failed := &v1alpha1.FailedRelease{ReleaseReference: q.Pinned, Message: text.Line(q.Failure, maxFailure)}
	before, err := q.identify(listed, rolledBack(failed))
	switch {
	case err != nil && fault.ClassOf(err) == fault.ClassWait:
		return Selection{}, err
	case err != nil || before.ReleaseReference != *q.Previous:
		return selected, nil
	}
	before.Failed, before.IsRollback = failed, true
	return before, nil
}

// rolledBack is why a release that failed is not chosen again.
func rolledBack(failed *v1alpha1.FailedRelease) error {
	return fault.Stallf(v1alpha1.RolledBackReason, "release %s failed and was rolled back: %s "+
		"(it is tried again with another content, or when spec.failed of the ClusterBundle is removed)",
		line(failed.Version), text.Line(failed.Message, maxFailure))
}
