// Package cluster reports on a Cluster what its ClusterBundleSets have done there, in
// the condition AddonBundlesReady, and has Cluster API hold back an upgrade of Kubernetes
// that they do not admit yet, by an annotation. It writes nothing else of a Cluster, and
// nothing while the Cluster is paused or being deleted.
//
//	sets that select the Cluster, their ClusterBundles -> summary -> condition of the Cluster
//	                              control plane object -> upgrade -> annotation of the Cluster
package cluster
