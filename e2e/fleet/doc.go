// Command fleet measures the provider on many Clusters. Their API servers are simulated, all
// else is real: etcd and kube-apiserver of the management cluster, and this project's manager
// as it is installed. "make scale N=1000", "make scale-idle N=10000" and "make scale-report"
// run it.
//
//	catalogue ── files ── HTTP server, counted
//	                          │ one download
//	management cluster ──── manager ──── simulator, a process of its own
//	   │ etcd: bytes          │ CPU, memory, profiles      counts, times
//	   └─ Clusters, labelled; ClusterBundles, watched ──── fleet: this program
//
// What is measured is either counted where it happens, or read from /proc and from the
// manager's metrics before and behind a step. Nothing is polled meanwhile.
//
// A run writes its results to the folder out when all of its steps succeeded, and nothing
// otherwise. Everything that it started is stopped at its end, also when it is interrupted.
package main
