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
)

// notConnectedRetry is when to look again why a cluster is not connected: the
// ClusterCache tries every 30 seconds and reports only when it succeeded.
const notConnectedRetry = 30 * time.Second

// connect takes the connection to the workload cluster.
func (r *Reconciler) connect(ctx context.Context, s *scope) (err error) {
	if s.workload, err = r.Connections.Client(ctx, client.ObjectKeyFromObject(s.cluster)); err != nil {
		return err
	}
	s.requests = s.workload.ForPass()
	return nil
}

// diagnose adds to the error for a cluster that is not connected what keeps the
// ClusterCache from it, as far as the kubeconfig Secret shows it: the
// ClusterCache itself only logs it.
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
				err, key.Name, secret.KubeconfigDataName, unsafe)
		}
	}
	return fault.Wait(v1alpha1.ClusterNotConnectedReason, notConnectedRetry, problem)
}
