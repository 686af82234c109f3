// Package inventory describes what a ClusterBundleSet owns in a workload cluster,
// in the ApplySet convention of KEP-3659
// (https://github.com/kubernetes/enhancements/tree/master/keps/sig-cli/3659-kubectl-apply-prune).
//
// The parent is a ConfigMap in kube-system. It is written before the first
// object, its size does not depend on the number of members, and it holds all
// that a pass has to remember: which release, and how far. So nothing is lost
// when the provider restarts or the Cluster moves to another management
// cluster.
//
//	set (namespace, name) -> Parent name -> ID -> label on every member
//	Record <-> annotations and data of the parent
//	metadata of a live object -> View -> Decision
//	managed fields of a live object -> those before it is taken over
//
// The package is pure: it reads and writes no cluster.
package inventory
