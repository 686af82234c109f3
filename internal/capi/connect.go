package capi

import (
	"bytes"
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/secret"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// connections keeps the connections to workload clusters. Neither call waits for one.
type connections interface {
	// Connect has a Cluster connected with its kubeconfig, whose control plane was
	// initialized at that time. A call that says nothing new changes nothing.
	Connect(cluster client.ObjectKey, kubeconfig []byte, initialized time.Time)
	// Disconnect ends the connection to a Cluster, if there is one.
	Disconnect(cluster client.ObjectKey)
}

// ConnectingOptions are the options of SetupConnecting. All but Changes are required.
type ConnectingOptions struct {
	// Selects reports whether a Cluster is to be connected.
	Selects func(context.Context, *clusterv1.Cluster) bool
	// Changes name the Clusters for which the answer of Selects may have changed though
	// their labels did not.
	Changes []source.Source
	// Connections are told which Clusters are to be connected.
	Connections connections
}

// connectingWorkers are enough: nothing is waited for.
const connectingWorkers = 10

// SetupConnecting adds a controller to the manager that says which Clusters are to be
// connected: those that Selects selects, once there is something to connect to. The error
// is that of the manager.
func SetupConnecting(mgr ctrl.Manager, options ConnectingOptions) error {
	labelled := predicate.Or[client.Object](predicate.LabelChangedPredicate{}, ClusterChanged(IsControlPlaneInitialized))
	made := ctrl.NewControllerManagedBy(mgr).
		Named("connecting").
		For(&clusterv1.Cluster{}, builder.WithPredicates(labelled)).
		WatchesRawSource(kubeconfigChanges(mgr.GetCache())).
		WithOptions(controller.Options{MaxConcurrentReconciles: connectingWorkers})
	for _, changes := range options.Changes {
		made = made.WatchesRawSource(changes)
	}
	return made.Complete(&connecting{reader: mgr.GetClient(), ConnectingOptions: options})
}

// connecting says which Clusters are to be connected.
type connecting struct {
	ConnectingOptions

	reader client.Reader
}

// Reconcile says whether one Cluster is to be connected. The error is that of the reader.
func (c *connecting) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cluster, kubeconfig, err := c.find(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	if kubeconfig == nil {
		c.Connections.Disconnect(req.NamespacedName)
		return ctrl.Result{}, nil
	}
	c.Connections.Connect(req.NamespacedName, kubeconfig.Data[secret.KubeconfigDataName], initializedAt(cluster))
	return ctrl.Result{}, nil
}

// find returns a Cluster that is to be connected, and its kubeconfig Secret. That is nil
// if it is not, or if there is nothing to connect to yet.
func (c *connecting) find(ctx context.Context, key client.ObjectKey) (*clusterv1.Cluster, *corev1.Secret, error) {
	cluster := &clusterv1.Cluster{}
	if err := c.reader.Get(ctx, key, cluster); err != nil {
		return nil, nil, client.IgnoreNotFound(err)
	}
	if !IsControlPlaneInitialized(cluster) || !c.Selects(ctx, cluster) {
		return cluster, nil, nil
	}
	kubeconfig := &corev1.Secret{}
	key.Name = secret.Name(cluster.Name, secret.Kubeconfig)
	err := c.reader.Get(ctx, key, kubeconfig)
	if apierrors.IsNotFound(err) {
		return cluster, nil, nil
	}
	return cluster, kubeconfig, err
}

// initializedAt returns when the control plane of a Cluster was initialized; zero if
// nobody knows.
func initializedAt(cluster *clusterv1.Cluster) time.Time {
	c := meta.FindStatusCondition(cluster.Status.Conditions, clusterv1.ClusterControlPlaneInitializedCondition)
	if c == nil || c.Status != metav1.ConditionTrue {
		return time.Time{}
	}
	return c.LastTransitionTime.Time
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

// KeepKubeconfigs is a transform for a cache of Secrets: it drops the content of
// those that are not kubeconfigs of Clusters. The error is always nil.
func KeepKubeconfigs(object any) (any, error) {
	if s, ok := object.(*corev1.Secret); ok {
		s.ManagedFields = nil
		if !strings.HasSuffix(s.Name, "-"+string(secret.Kubeconfig)) {
			s.Data = nil
		}
	}
	return object, nil
}
