// Package clusterbundle reconciles ClusterBundles: each reconcile is one pass
// over one workload cluster. One ClusterBundle is one item of the queue, so that
// a slow or broken cluster holds up no other.
//
//	ClusterBundle, Cluster, Bundle -> check what keeps us -> rollout.Run -> watches, status, events
package clusterbundle
