// Package testenv gives tests and the demo real Kubernetes control planes: a
// management cluster with the CRDs of Cluster API and of this project, any
// number of workload clusters, and Clusters as Cluster API leaves them.
//
//	StartManagement ── etcd, kube-apiserver, CRDs
//	   │  StartCAPI ── Cluster API's own core controllers (not necessary)
//	   │
//	   └─ AddCluster(Workload or Proxy) ── Cluster, kubeconfig Secret, status
//	                     │
//	StartWorkload ───────┤  bare:  etcd, kube-apiserver
//	                     │  whole: and controllers, scheduler, simulated Nodes
//	StartProxy ──────────┘  in front of a workload cluster: counts, fails, disconnects
//
// PrepareClusterctl writes what the real clusterctl needs to install the provider on a
// management cluster, in place of its CRDs.
//
// Functions that start with Start return errors and know nothing of testing;
// those that start with New, and the Shared ones, are the same for tests. What
// is started is to be stopped with Stop. Should the program be killed, the
// kernel kills what it started (on Linux); only temporary folders remain.
//
// The programs come from KUBEBUILDER_ASSETS or, if that is not set or lacks
// one, from the folder bin of the repository, where "make controlplane" builds
// them.
//
// The package is for tests and the demo: nothing that ships imports it. It does
// not run containers, has no network policy, DNS or proxies for Services, and
// its certificates and etcd are made to be fast, not safe.
package testenv
