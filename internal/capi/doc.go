// Package capi is what Cluster API asks of a provider and what this one takes
// from it, at one place: which workload clusters CAPI's ClusterCache connects,
// and what the manager's caches keep of its objects.
//
//	sets that select a Cluster -> ClusterCache -> connections
//	Secrets, ConfigMaps -> transforms -> caches
package capi
