// Package clusterbundle reconciles ClusterBundles: each reconcile is one pass
// over one workload cluster. One ClusterBundle is one item of the queue, so that
// a slow or broken cluster holds up no other.
//
//	ClusterBundle -> steps: Cluster, blockers, release, content, connection, dependencies, pass
//	              -> watches, status, events
//
//	being deleted -> steps: Cluster, who is let go, connection, removal -> finalizer, status, events
//
// A step is one subject and has a file of its own. A new subject is a new step:
// patches where the pass is put together, drift behind the pass.
package clusterbundle
