// Package drift tells whether a live object is still as a set applied it, by the
// fields that the API server says the set's field manager holds.
//
//	metadata after an apply -> Sum, kept -> compared with that of the live object
//
// Another writer who changes or removes a field takes it from the field manager
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/), so the sum
// changes; fields that others add, and the status, do not count. Which fields an
// apply of given bytes holds depends on the schemas of the API server, so it is not
// computed but learned from the answer to the apply.
//
// The package is pure.
package drift
