package clusterbundle

import (
	"sync"
	"time"
)

// laneRetry is when to try again to get a worker, at least.
const laneRetry = 5 * time.Second

// lanes keep workers free for workload clusters that answer. One that does not may hold
// a worker until a request is given up. Those that did not answer not long ago hold at
// most a quarter of the workers, half of these in one namespace. All Clusters of a
// namespace that has such a one hold at most three quarters: it may have more of them,
// of which nobody knows yet.
type lanes struct {
	workers int

	mu          sync.Mutex
	silent      int
	byNamespace map[string]inUse
}

// inUse are the workers with Clusters of one namespace.
type inUse struct{ silent, all int }

func newLanes(workers int) *lanes {
	return &lanes{workers: workers, byNamespace: make(map[string]inUse)}
}

// enter takes a worker for a Cluster of the namespace, if it may have one, and returns
// what gives it back. silent means that the Cluster did not answer not long ago,
// suspect that one of its namespace did not.
func (l *lanes) enter(namespace string, silent, suspect bool) (leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, quarter := l.byNamespace[namespace], max(1, l.workers/4)
	if silent && (l.silent >= quarter || now.silent >= max(1, quarter/2)) {
		return nil, false
	}
	if suspect && now.all >= max(1, l.workers*3/4) {
		return nil, false
	}
	l.add(namespace, silent, 1)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.add(namespace, silent, -1)
	}, true
}

// add changes what a namespace holds. The caller holds l.mu.
func (l *lanes) add(namespace string, silent bool, n int) {
	now := l.byNamespace[namespace]
	now.all += n
	if silent {
		now.silent += n
		l.silent += n
	}
	l.byNamespace[namespace] = now
	if now.all == 0 {
		delete(l.byNamespace, namespace)
	}
}
