// Package trigger brings events from outside the Kubernetes API to a
// controller's queue: a fetch that ended, a change in a workload cluster.
//
// It buffers nothing: the sender of an event waits until a controller has received
// it, so that none is lost and none accumulates outside of the queue.
//
//	Channel.Notify(name) -> Source: the items that a function returns for it -> queue
package trigger
