package placement

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// keepFromRollback notes that a release was Ready where patches may change it: what is
// wrong with a value that is another one since is no reason to return to the release
// before, which would get it, too.
func keepFromRollback(set *v1alpha1.ClusterBundleSet, cb, before *v1alpha1.ClusterBundle) {
	rollsBack := set.Spec.RollbackOnFailure != nil && *set.Spec.RollbackOnFailure
	pinned := v1alpha1.ReleaseReference{Version: before.Spec.Version, Digest: before.Spec.Digest}
	stays := cb.Spec.Version == pinned.Version && cb.Spec.Digest == pinned.Digest
	if rollsBack && len(set.Spec.Patches) > 0 && stays && release.IsReady(before) {
		cb.Spec.Previous = &pinned
	}
}
