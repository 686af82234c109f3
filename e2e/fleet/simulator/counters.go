package simulator

import (
	"maps"
	"sync"
)

// Kind is what requests are counted by. A path that is not a resource, such as
// /version, is the Resource of a get; a subresource follows behind a slash.
type Kind struct{ Verb, Group, Resource string }

// Counters are what a cluster has seen since it started or was Reset.
type Counters struct {
	// Requests by verb (get, list, watch, create, update, patch, delete,
	// deletecollection) and resource.
	Requests map[Kind]int
	// Failures by HTTP status, from 400 on.
	Failures map[int]int
	// Sent and Received are the bytes of the bodies that clients sent and received.
	Sent, Received int64
	// WireSent and WireReceived are all bytes that went over their connections, with
	// headers and TLS. Reset leaves them.
	WireSent, WireReceived int64
	// Watches that are open now. Reset leaves them.
	Watches int
}

func newCounters() Counters {
	return Counters{Requests: make(map[Kind]int), Failures: make(map[int]int)}
}

// Total returns how many requests there were.
func (c Counters) Total() int {
	total := 0
	for _, n := range c.Requests {
		total += n
	}
	return total
}

// Count returns how many requests had that verb and resource. An empty one matches any.
func (c Counters) Count(verb, resource string) int {
	total := 0
	for kind, n := range c.Requests {
		if (verb == "" || kind.Verb == verb) && (resource == "" || kind.Resource == resource) {
			total += n
		}
	}
	return total
}

func (c *Counters) add(other Counters) {
	for kind, n := range other.Requests {
		c.Requests[kind] += n
	}
	for code, n := range other.Failures {
		c.Failures[code] += n
	}
	c.Sent += other.Sent
	c.Received += other.Received
	c.WireSent += other.WireSent
	c.WireReceived += other.WireReceived
	c.Watches += other.Watches
}

// seen are the counters of a cluster as they are kept.
type seen struct {
	mu sync.Mutex
	Counters
}

// request counts a request.
func (s *seen) request(kind Kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Requests == nil {
		s.Requests, s.Failures = make(map[Kind]int), make(map[int]int)
	}
	s.Requests[kind]++
}

// answered counts the answer to a request, or a part of it.
func (s *seen) answered(status int, sent, received int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status >= 400 {
		s.Failures[status]++
	}
	s.Sent += sent
	s.Received += received
}

// watching counts watches that are open.
func (s *seen) watching(more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Watches += more
}

// Counters returns what the cluster has seen.
func (c *Cluster) Counters() Counters {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	counters := c.seen.Counters
	counters.Requests, counters.Failures = maps.Clone(counters.Requests), maps.Clone(counters.Failures)
	if counters.Requests == nil {
		counters.Requests, counters.Failures = make(map[Kind]int), make(map[int]int)
	}
	counters.WireSent, counters.WireReceived = c.line.in.Load(), c.line.out.Load()
	return counters
}

// Reset forgets what the cluster has seen.
func (c *Cluster) Reset() {
	c.seen.mu.Lock()
	defer c.seen.mu.Unlock()
	c.seen.Counters = Counters{Watches: c.seen.Watches}
}
