// Package placement reconciles placements: one set on one Cluster. It decides
// whether the Cluster gets a ClusterBundle and which release is pinned in it. An
// event of one Cluster leads to its own placements only, however many Clusters
// the sets select.
//
//	set, Cluster, Bundle, version of Kubernetes -> selected? -> release -> ClusterBundle
package placement
