package rendered

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// mayCreate returns why nothing may be created for a Cluster. It reads the Cluster as it
// is now: what is made behind the back of clusterctl is not moved.
func (s Secrets) mayCreate(ctx context.Context, of Rendering) error {
	cluster := &clusterv1.Cluster{}
	err := s.Reader.Get(ctx, of.Cluster, cluster)
	isGone := apierrors.IsNotFound(err)
	switch {
	case err != nil && !isGone:
		return fault.Wrap("Cluster "+of.Cluster.Name, err)
	case isGone, cluster.UID != of.UID, !cluster.DeletionTimestamp.IsZero():
		return fault.Wait(v1alpha1.ClusterNotFoundReason, 0, fmt.Errorf("Cluster %s is gone", of.Cluster.Name))
	case annotations.IsPaused(cluster, cluster):
		return fault.Wait(v1alpha1.PausedReason, 0, fmt.Errorf("Cluster %s is paused", of.Cluster.Name))
	}
	return nil
}
