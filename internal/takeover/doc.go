// Package takeover is the command that takes over a ClusterResourceSet, with the
// permissions of whoever runs it.
//
//	read.go -> internal/core/takeover: the plan -> YAML
//	        -> compare.go: what would change in the workload clusters -> report
//	        -> write.go: the Bundle, the set, the owners of the sources
//
// It writes nothing unless it is told to, nothing in a workload cluster at all, and
// never the ClusterResourceSet. It can be repeated: what is there already stays, and the
// report says whether the ClusterResourceSet can be removed.
package takeover
