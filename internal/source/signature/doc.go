// Package signature verifies that an OCI artifact is signed by whom the user
// trusts: by a key, or by an identity whose short-lived certificate a Sigstore
// instance issued (keyless).
//
//	repository@digest -> referrers, or the tag sha256-<hex>   sigstore bundles
//	                  -> the tag sha256-<hex>.sig             simple signing
//	each of them      -> about this digest? -> key, or certificate and log -> Result
//
// It reads both forms in which cosign stores signatures. A bundle holds a
// message signature over the digest, or an in-toto statement about it of the
// type that "cosign sign" writes. The older form, simple signing, is a payload
// that names the digest, with everything else in annotations.
//
// Nothing but the Policy is trusted, and nothing is fetched but through the
// Registry: the trusted root is a file that the user gives, and what proves a
// signature comes with it. One good signature among several suffices.
//
// The package refuses attestations in place of signatures: a provenance or an
// SBOM that is signed by the right identity says nothing about whether the
// artifact is released. With identities it insists on a certificate that a
// certificate transparency log promised to hold, on an entry of a transparency
// log, and on a time at which the certificate was valid. With keys it looks at
// no log: the key is the trust. It does not compare the repository that a
// payload names, so that a mirrored artifact keeps its signature, and it does
// not read the chain that came with a certificate: the trusted root has it.
package signature
