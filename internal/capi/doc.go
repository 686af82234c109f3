// Package capi holds the rules of Cluster API that all controllers share: when an
// object is paused, which Clusters a set selects, which workload clusters are to be
// connected, and what the manager's caches index and keep.
//
//	sets that select a Cluster, ClusterBundles to uninstall, kubeconfigs -> Connect, Disconnect
//	Secrets, ConfigMaps -> transforms -> caches
package capi
