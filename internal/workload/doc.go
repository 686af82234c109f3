// Package workload is the edge to one workload cluster: server-side apply of
// ready-made bytes, moves of managed fields, reads of single objects, discovery
// of single group versions, and watches that report only that something happened.
//
// Watches are shared by all who want to know of one workload cluster. A stream
// begins with a notification, so that nothing that happened before is lost, and
// goes on in silence where the one before it ended in time. Its events are handed on
// to those whose members they are about, and who want to know of such a change.
//
// A workload cluster belongs to somebody else, who may do harm with what it answers.
// Answers, errors, versions and frames of watches are bounded before they are decoded,
// shown or logged, and nobody waits long for one that is silent.
//
// It keeps no cache, starts no informer and has no client-side rate limit: the
// number of requests is bounded by its callers and by the server's own flow
// control, whose answer (429, Retry-After) becomes a fault.Wait.
//
// Which workload clusters are to be connected others say. Each has one connection, which
// stays open; that it is closed, or that a ping over it is not answered, tells that the
// server is gone. Nobody waits for an attempt to connect.
//
//	Connect -> Connections -> Client -> requests to one API server
//	                          Client -> Watches -> keys to reconcile
package workload
