package clusterbundle

import (
	"context"
	"errors"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// errNotOurs is in the error of a pass, or a removal, over a Cluster that another manager
// has now. Its status is no longer ours to write.
var errNotOurs = errors.New("another manager has it now")

// isOurs reports whether this manager has the set of a ClusterBundle on its Cluster.
func (r *Reconciler) isOurs(ctx context.Context, cb *v1alpha1.ClusterBundle) (bool, error) {
	if r.Filter == "" {
		return true, nil
	}
	s := &scope{clusterBundle: cb}
	if err := errors.Join(r.findCluster(ctx, s), r.getSet(ctx, s)); err != nil {
		return false, err
	}
	return r.Filter.HasSetOn(s.set, s.cluster, cb), nil
}
