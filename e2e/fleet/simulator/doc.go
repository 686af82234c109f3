// Package simulator serves the API of thousands of workload clusters from one process,
// as far as this project's manager uses it. Each cluster has an address of its own,
// 127.x.y.z, of which one listener serves all:
//
//	kubeconfig ─> 127.x.y.z ─> request of one cluster ─> faults ─> answer
package simulator
