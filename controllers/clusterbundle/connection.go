package clusterbundle

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// startRetry is when to look again at a cluster that is not connected while the manager
// starts, when that is not reported. Later the connections tell of each change.
const startRetry = 30 * time.Second

// connect takes the connection to the workload cluster.
func (r *Reconciler) connect(ctx context.Context, s *scope) (err error) {
	if s.workload, err = r.Connections.Client(client.ObjectKeyFromObject(s.cluster)); err != nil {
		return err
	}
	s.requests = s.workload.ForPass()
	return nil
}

// diagnose adds to the error for a cluster that is not connected what the kubeconfig
// Secret shows of the reason.
func (r *Reconciler) diagnose(ctx context.Context, cluster *clusterv1.Cluster, err error) error {
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: secret.Name(cluster.Name, secret.Kubeconfig)}
	kubeconfig := &corev1.Secret{}
	problem := err
	switch read := r.Client.Get(ctx, key, kubeconfig); {
	case apierrors.IsNotFound(read):
		problem = fmt.Errorf("%w: Secret %s does not exist, or lacks the label %s", err, key.Name, clusterv1.ClusterNameLabel)
	case read != nil:
		return read
	default:
		if _, unsafe := capi.SafeKubeconfig(kubeconfig.Data[secret.KubeconfigDataName]); unsafe != nil {
			problem = fmt.Errorf("%w: Secret %s has no kubeconfig in its key %q that is used: %w",
				workload.ErrNotConnected, key.Name, secret.KubeconfigDataName, unsafe)
		}
	}
	return fault.Wait(v1alpha1.ClusterNotConnectedReason, r.startRetry(), problem)
}

// startRetry returns startRetry while the manager starts, else 0.
func (r *Reconciler) startRetry() time.Duration {
	if r.isStarting() {
		return startRetry
	}
	return 0
}

// isStarting reports whether the manager has just begun to connect.
func (r *Reconciler) isStarting() bool { return r.Clock.Since(r.began) < startTime }
