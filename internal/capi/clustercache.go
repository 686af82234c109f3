package capi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	"sigs.k8s.io/cluster-api/controllers/remote"
	"sigs.k8s.io/cluster-api/util/secret"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// ClusterCacheOptions are the options of SetupClusterCache.
type ClusterCacheOptions struct {
	// Name of the provider, for the user agent.
	Name string
	// Selects reports whether a Cluster is to be connected.
	Selects func(*clusterv1.Cluster) bool
	// Changes name the Clusters for which the answer of Selects may have changed.
	Changes []source.Source
	// Concurrency is how many Clusters are connected or checked at once.
	Concurrency int
}

// SetupClusterCache adds CAPI's ClusterCache to the manager. It connects only
// the Clusters that Selects selects, once there is something to connect to. It returns an error if the manager does not
// take the ClusterCache or its controller cannot watch the sources of changes.
func SetupClusterCache(
	ctx context.Context, mgr ctrl.Manager, options ClusterCacheOptions,
) (clustercache.ClusterCache, error) {
	seen, attempts := &controllerSeen{Manager: mgr}, &attempts{now: time.Now}
	cache, err := clustercache.SetupWithManager(ctx, seen, clustercache.Options{
		// The manager caches the labelled kubeconfig Secrets and no others, and uses what is safe of them.
		SecretClient: kubeconfigs{mgr.GetClient(), attempts.begins},
		ClusterFilter: func(cluster *clusterv1.Cluster) bool {
			return options.Selects(cluster) && canConnect(ctx, mgr.GetClient(), cluster) && !attempts.startOver(ctx, cluster)
		},
		Cache: clustercache.CacheOptions{DefaultTransform: ctrlcache.TransformStripManagedFields()},
		Client: clustercache.ClientOptions{
			UserAgent: remote.DefaultClusterAPIUserAgent(options.Name),
			Cache:     clustercache.ClientCacheOptions{DisableFor: []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}}},
		},
	}, controller.Options{MaxConcurrentReconciles: options.Concurrency})
	if err != nil {
		return nil, fmt.Errorf("cluster cache: %w", err)
	}
	if seen.controller == nil {
		return nil, errors.New("cluster cache: it added no controller to the manager")
	}
	attempts.cache = cache
	own := []source.Source{attempts.source(), kubeconfigChanges(mgr.GetCache())}
	for _, changes := range append(own, options.Changes...) {
		if err := seen.controller.Watch(changes); err != nil {
			return nil, fmt.Errorf("cluster cache: %w", err)
		}
	}
	return cache, nil
}

// controllerSeen is a Manager that remembers the controller that is added to
// it. The ClusterCache asks its filter only when its Cluster changes and offers
// no way to be told that the answer did: its own controller does.
type controllerSeen struct {
	manager.Manager
	controller controller.Controller
}

// Add adds a runnable to the manager.
func (s *controllerSeen) Add(runnable manager.Runnable) error {
	if c, ok := runnable.(controller.Controller); ok {
		s.controller = c
	}
	return s.Manager.Add(runnable)
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
