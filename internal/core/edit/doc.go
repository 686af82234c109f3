// Package edit changes the objects of a release as a ClusterBundleSet wants them, the
// same for all its Clusters.
//
//	edits of the set ─┐
//	                  ├─> New ─> Edit: Object    images of other registries, no descriptions
//	of the release ───┘            └── LeavesOut objects of components that are off
//
// An Edit is a value: whoever has the same key makes the same bytes of the same object,
// so that one edited object serves all Clusters. What an object is called, and what kind
// it is of, is never edited.
//
// The package is pure: no client, no network, no file system, no clock.
package edit
