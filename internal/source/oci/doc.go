// Package oci reads bundles from OCI registries.
//
//	Secrets -> CredentialsFrom -> Credentials
//	Reference -> Resolve -> digest -> Manifest -> Layers or Phases -> Blob
//	                                     |
//	        mirrors, the longest prefix first, then the registry itself
//	                                     |
//	      request -> 401, token -> redirects -> status -> body: stall, limit
//
// Manifests are checked against their digest here; layers are not: who stores
// them hashes them, and no bytes are decoded before they are stored. Nothing is
// kept but connections and tokens, and nothing is tried again except at the next
// mirror: an error has its class and its reason, and who called tries again.
//
// A login goes to the host that it is for, and to the token server that this
// host names, never to a mirror that it is not for and never along a redirect
// to another origin. No message holds a secret, a query of a URL, or what a
// server wrote in its answer.
//
// The package reads; it does not push, does not verify signatures, and does not
// know the Kubernetes API.
package oci
