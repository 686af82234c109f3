// Package clusterbundleset reconciles ClusterBundleSets as a whole: it counts
// their ClusterBundles and reports. What one Cluster gets is decided by package
// placement.
//
//	set, Clusters that it selects, its ClusterBundles -> counts, conditions
package clusterbundleset
