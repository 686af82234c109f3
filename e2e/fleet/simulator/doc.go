// Package simulator serves the API of thousands of workload clusters from one process,
// as far as this project's manager uses it:
//
//	kubeconfig ─> 127.x.y.z, one address a cluster, one listener for all ─> request
//	    ─> faults ─> discovery · read, list, watch · apply, create, update, patch, delete
//	    ─> one cluster: its objects, in memory, and what changed lately ─> watches
//	    ─> what controllers would do, after a time: CRDs are established and served,
//	       workloads become available, Jobs complete, Namespaces and CRDs go
//
// What an object holds is kept once for all clusters: a cluster has of it a pointer, a
// UID, a resource version and two times. The same apply to the same object is worked
// out once, with the code that an API server has for managed fields, and then looked
// up. So the times in managed fields and conditions are those at which the first cluster
// got there.
//
// The conformance test runs the same requests against a simulated cluster and a real
// kube-apiserver. What is not simulated: defaults and validation of built-in kinds,
// conversion between their versions, admission, RBAC (the token of a cluster may do
// anything), garbage collection by owner references, scheduling, Pods of workloads.
package simulator
