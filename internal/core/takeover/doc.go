// Package takeover decides what takes the place of a ClusterResourceSet: a Bundle with
// its ConfigMaps and Secrets as sources, and a ClusterBundleSet that selects the same
// Clusters.
//
//	ClusterResourceSet, what it names, its bindings -> New -> Plan: Bundle, set, objects, warnings
//	Plan, what became of both                       -> Blockers: why it cannot be removed yet
//
// What cannot be delivered as it is, is an error. What is delivered in another way, or
// left out, is a warning. The package is pure.
package takeover
