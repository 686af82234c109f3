// Package fetch opens the bytes that a Bundle names: files on web servers,
// files below the provider's bundle directory, and manifests written inline.
//
//	v1alpha1.Source -> Open -> io.ReadCloser -> store.Commit (digest, limit)
//
//	https: round trip -> redirects -> status -> body
//	       body: stall and total time -> cut off? -> gzip, ratio -> limit
//
//	OpenAt: Range, If-Range -> 206: the rest; 200, 206 of another part, 416: from 0
//
// What the bytes are is not known before their end: the package does not check
// digests, does not keep anything, and does not try again. Every reader that it
// returns ends with an error at Config.MaxBytes, and every error names its
// source without the userinfo and the query of its URL.
//
// Addresses are checked when a connection is made, after the name was resolved,
// for every hop of a redirect: a name that resolves to a denied address does
// not help. With a proxy from the environment (HTTPS_PROXY, HTTP_PROXY,
// NO_PROXY) the connection is the one to the proxy, and so is the check: the
// proxy decides what lies behind it, and a proxy on a denied address is not used.
package fetch
