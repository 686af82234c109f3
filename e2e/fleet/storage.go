package main

import (
	"context"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

// Where etcd has what.
const (
	storedClusters       = "/registry/cluster.x-k8s.io/clusters/"
	storedClusterBundles = "/registry/addons.cluster.x-k8s.io/clusterbundles/"
	storedEvents         = "/registry/events/"
)

// measureStorage adds up what the management cluster's etcd has for the fleet: all of it was
// written by the manager, since nothing else runs there.
func (w *world) measureStorage(ctx context.Context) error {
	bundles, err := w.management.Stored(ctx, storedClusterBundles)
	if err != nil {
		return err
	}
	clusters, err := w.management.Stored(ctx, storedClusters)
	if err != nil {
		return err
	}
	events, err := w.management.Stored(ctx, storedEvents)
	if err != nil {
		return err
	}
	if bundles.Objects != w.options.clusters || clusters.Objects != w.options.clusters {
		return fmt.Errorf("etcd has %d ClusterBundles and %d Clusters, and not %d",
			bundles.Objects, clusters.Objects, w.options.clusters)
	}
	n := float64(w.options.clusters)
	s := &outcome.Storage{
		ClusterBundle: float64(bundles.Bytes) / n,
		OnCluster:     float64(clusters.Bytes-w.clusterBytes) / n,
		Events:        float64(events.Bytes) / n,
	}
	w.result.Storage = s
	w.detail("for each Cluster: ClusterBundle %.0f bytes, on the Cluster %.0f, events %.0f", s.ClusterBundle, s.OnCluster, s.Events)
	return nil
}
