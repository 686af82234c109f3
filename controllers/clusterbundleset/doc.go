// Package clusterbundleset reconciles ClusterBundleSets. The queue has two
// kinds of items: a placement, which is one set on one Cluster and is all that
// a change of one Cluster wakes, and a set, whose status counts its placements.
//
//	Cluster, set -> placement: select, choose the release -> ClusterBundle
//	ClusterBundles of a set -> status
package clusterbundleset
