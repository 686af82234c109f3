// Package rendered keeps what a chart rendered to for one Cluster, in a Secret of the
// management cluster that belongs to this Cluster:
//
//	metadata: name <cluster>-rendered-<hash>, label addons.cluster.x-k8s.io/cluster,
//	          annotation addons.cluster.x-k8s.io/chart, owner: the Cluster
//	type:     addons.cluster.x-k8s.io/rendered, immutable
//	data:     manifests.yaml.gz
//
// It goes with its Cluster: the garbage collector removes it, and clusterctl moves it.
// Who deletes it has the chart rendered anew. What is in it may be secret, so no error
// repeats any of it.
package rendered
