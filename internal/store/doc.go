// Package store keeps files by the digest of their content in the cache
// directory, so that a reader gets the bytes that it asked for.
//
//	reader -> tmp/<random>    counted and hashed while copied
//	       -> verify, fsync   other digest or over the limit: removed
//	       -> make room       over the limit: what no Bundle names goes, the oldest first
//	       -> rename          sha256/<hex>, or derived/<kind>/<hex>
//
//	Resume -> partial/<hex>   beside its validator, until the digest matches
//
// A file has its final name only when it is complete: a process that is killed
// leaves nothing but a file in tmp, which the next Open of the directory removes,
// and a download in partial, which the next Resume continues. Several processes
// may share one directory: unfinished files carry a lock (flock(2)) that ends
// with the process that holds it, and a file that another process evicted does
// not exist any more.
//
// The store is the only owner of downloads: within a process, Resume lets one caller
// at a time download a digest from a place, and LockDigest one of a namespace work on
// what is derived from it. A wait for another caller ends with the context of the one who
// waits, and nobody waits for a place that he did not name.
//
// The package refuses bytes that do not match their digest, digests other than
// sha256, and names that are not made of a digest: no path comes from outside.
// The limit holds for everything in the directory, whatever it is for, and for files in
// the making every 4 MiB. What Bundles name is not evicted: a cache that is too small
// is an error, and not a download in a circle. A namespace has a share of the limit, and
// over it only its own goes.
//
// What is on the volume is not believed: a blob is compared with its digest when it
// is opened, and a derived file with what this process wrote, which it remembers in
// memory. What another process derived, and what somebody else wrote, is made again.
// The package does not fetch and does not decode.
package store
