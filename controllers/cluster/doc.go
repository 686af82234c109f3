// Package cluster reports on a Cluster what its ClusterBundleSets have done there, in
// the condition AddonBundlesReady. It writes nothing else of a Cluster's status, and
// nothing while the Cluster is paused or being deleted.
//
//	sets that select the Cluster, their ClusterBundles -> summary -> condition of the Cluster
package cluster
