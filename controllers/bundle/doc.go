// Package bundle reconciles Bundles: it has every source of every release
// fetched, verified and indexed as soon as a Bundle appears, so that the bytes
// are there before a control plane is, and reports what it found.
//
//	Bundle -> Library.Open each release -> status.releases, conditions
package bundle
