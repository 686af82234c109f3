// Package trigger brings news from outside the Kubernetes API to a controller's
// queue: a fetch that ended, an event in a workload cluster.
//
// It holds nothing back: whoever has news waits until a controller has heard of
// it, so that none is lost and none piles up outside of the queue.
//
//	Channel.Wake(name) -> Source: the object itself, Mapped: what a function makes of it -> queue
package trigger
