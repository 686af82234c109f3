// Package release chooses the release of a Bundle that one cluster gets, and
// gives a release the identity of its content.
//
//	answers of a cluster ─ Settle ─▶ Kubernetes ─┐
//	                        releases, constraint ├─ Choose ─▶ release ─ Digest ─▶ sha256:…
//
// Choose is a pure function: the order of the releases does not matter, and the
// same input gives the same release or the same error.
// The package fetches nothing, does not look into manifests, and does not know
// what a cluster runs today: a downgrade is a choice like any other.
package release
