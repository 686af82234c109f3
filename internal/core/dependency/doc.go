// Package dependency decides what the dependsOn of ClusterBundleSets leads to.
//
//	parent of the other set in the workload cluster -> Unmet -> what a set waits for on a Cluster
//	dependsOn of all sets of a namespace -> Cycle -> the sets that wait for each other
//
// What counts is the workload cluster, never a status: that may be lost or behind.
// The package reads nothing itself.
package dependency
