package workload

import (
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// silenceTTL is how long it is remembered that an API server did not answer. It is
// longer than any back-off: one that answers every second time gains nothing.
const silenceTTL = 10 * time.Minute

// silences are the workload clusters whose API server did not answer in time. They
// outlive a connection, which may be made anew meanwhile. The zero value is empty.
type silences struct {
	mu   sync.Mutex
	last map[client.ObjectKey]time.Time
}

// note notes that a workload cluster did not answer, and forgets what is long ago.
func (s *silences) note(cluster client.ObjectKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = make(map[client.ObjectKey]time.Time)
	}
	for other, at := range s.last {
		if time.Since(at) >= silenceTTL {
			delete(s.last, other)
		}
	}
	s.last[cluster] = time.Now()
}

// of reports whether a workload cluster did not answer not long ago, and whether one in
// its namespace did not.
func (s *silences) of(cluster client.ObjectKey) (own, neighbour bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for silent, at := range s.last {
		if silent.Namespace == cluster.Namespace && time.Since(at) < silenceTTL {
			own, neighbour = own || silent == cluster, true
		}
	}
	return own, neighbour
}
