// Package release chooses the release of a Bundle that one cluster gets, and
// gives a release the identity of its content.
//
//	answers of a cluster ─ Settle ─▶ Kubernetes ─┐
//	                        releases, constraint ├─ Choose ─▶ target ─┐
//	                              what it has ───┴──── Next, failed ──┴▶ release ─ Digest ─▶ sha256:…
//
// Select is all of it. Choose is a pure function: the order of the releases does not
// matter, and the same input gives the same release or the same error; it does not
// know what a cluster has, so that a downgrade is a choice like any other.
// The package fetches nothing and does not look into manifests.
package release
