package capi

import (
	"bytes"
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/util/secret"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// canConnect reports whether there is something to connect to: the control plane of a
// Cluster is initialized, and its kubeconfig Secret exists. An attempt before that
// fails, and the ClusterCache makes the next one half a minute later.
func canConnect(ctx context.Context, reader client.Reader, cluster *clusterv1.Cluster) bool {
	if !IsControlPlaneInitialized(cluster) {
		return false
	}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: secret.Name(cluster.Name, secret.Kubeconfig)}
	err := reader.Get(ctx, key, &corev1.Secret{})
	return !apierrors.IsNotFound(err) // the attempt meets any other error
}

// kubeconfigChanges is a source of the Clusters whose kubeconfig Secret comes, changes
// or goes.
func kubeconfigChanges(cache ctrlcache.Cache) source.Source {
	enqueue := func(s *corev1.Secret, q queue) {
		if cluster := s.Labels[clusterv1.ClusterNameLabel]; s.Name == secret.Name(cluster, secret.Kubeconfig) {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKey{Namespace: s.Namespace, Name: cluster}})
		}
	}
	return source.Kind(cache, &corev1.Secret{}, handler.TypedFuncs[*corev1.Secret, reconcile.Request]{
		CreateFunc: func(_ context.Context, e event.TypedCreateEvent[*corev1.Secret], q queue) { enqueue(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.TypedUpdateEvent[*corev1.Secret], q queue) {
			const key = secret.KubeconfigDataName
			if !bytes.Equal(e.ObjectOld.Data[key], e.ObjectNew.Data[key]) {
				enqueue(e.ObjectNew, q)
			}
		},
		DeleteFunc: func(_ context.Context, e event.TypedDeleteEvent[*corev1.Secret], q queue) { enqueue(e.Object, q) },
	})
}

const (
	// newFor is how long a control plane counts as new. Its load balancer may not have
	// its API server yet, or lose it again.
	newFor = time.Minute

	// newRetry is when a new control plane that could not be connected is tried again.
	newRetry = 2 * time.Second
)

// attempts has the ClusterCache try a new control plane again sooner than after its
// half a minute: once its filter refuses a Cluster, its last failure is forgotten.
type attempts struct {
	// cache and queue are set before the first attempt.
	cache clustercache.ClusterCache
	queue queue
	now   func() time.Time
}

// source is a source without events, by which the attempts know the queue.
func (a *attempts) source() source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		a.queue = q
		return nil
	})
}

// begins has a Cluster that is about to be connected looked at again.
func (a *attempts) begins(cluster client.ObjectKey) {
	a.queue.AddAfter(reconcile.Request{NamespacedName: cluster}, newRetry)
}

// startOver reports whether the last failure to connect a Cluster is to be forgotten.
// Then the Cluster is looked at again at once; and when it is too early for that, later.
func (a *attempts) startOver(ctx context.Context, cluster *clusterv1.Cluster) bool {
	key := client.ObjectKeyFromObject(cluster)
	state := a.cache.GetHealthCheckingState(ctx, key)
	failed := state.ConsecutiveFailures > 0 && state.LastProbeSuccessTime.IsZero()
	if !failed || !isNew(cluster, a.now()) {
		return false
	}
	left := max(0, newRetry-a.now().Sub(state.LastProbeTime))
	a.queue.AddAfter(reconcile.Request{NamespacedName: key}, left)
	return left == 0
}

// isNew reports whether the control plane of a Cluster was initialized a moment ago.
func isNew(cluster *clusterv1.Cluster, now time.Time) bool {
	c := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1.ClusterControlPlaneInitializedCondition)
	return c != nil && c.Status == metav1.ConditionTrue && now.Sub(c.LastTransitionTime.Time) < newFor
}
