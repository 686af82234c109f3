package workload

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// maxStreams bounds the streams of one workload cluster. Those over it wait
	// until another ends.
	maxStreams = 256

	// A watch ends and is started again after five to ten minutes, as those of
	// client-go are, so that one that silently lost its server recovers.
	minWatch    = 5 * time.Minute
	watchJitter = 1.0

	// minRotation is the shortest time that a stream is opened for.
	minRotation = 30 * time.Second
)

// clusterStreams are the streams of one workload cluster. Watches.mu guards it.
type clusterStreams struct {
	// start starts a stream, which its stop ends.
	start func(*stream)

	// period is how long streams last at least.
	period time.Duration

	limits *limits

	all     map[rollout.Target]*stream
	waiting []*stream // for one of maxStreams to end, in order of arrival
	// rotation is when the server is to end the streams.
	rotation time.Time
}

func newClusterStreams(period time.Duration, start func(*stream)) *clusterStreams {
	return &clusterStreams{start: start, period: period, limits: newLimits(), all: make(map[rollout.Target]*stream)}
}

// join adds a subscription of a key, and reports whether it joined a stream of which
// no start will be told: one that is open already, or begins where others looked. A new
// stream begins where at has it.
func (c *clusterStreams) join(key types.NamespacedName, to subscription, at beginning) bool {
	who := to.of(key)
	if s := c.all[to.target]; s != nil {
		if s.subscribers.Has(who) {
			return false
		}
		s.subscribers.Insert(who)
		return s.isOpen || s.from != ""
	}
	s := newStream(to.target, who, c.limits)
	s.beginAt(at)
	c.all[to.target] = s
	c.waiting = append(c.waiting, s)
	c.startWaiting()
	if slices.Contains(c.waiting, s) {
		s.from = "" // nobody knows how long it waits
	}
	return false
}

// leave ends a subscription of a key, and the stream with its last one.
func (c *clusterStreams) leave(key types.NamespacedName, from subscription) {
	s, who := c.all[from.target], from.of(key)
	s.subscribers.Delete(who)
	s.quiet.Delete(who)
	if s.subscribers.Len() > 0 {
		return
	}
	delete(c.all, from.target)
	s.forget()
	c.waiting = slices.DeleteFunc(c.waiting, func(w *stream) bool { return w == s })
	s.stop()
	c.startWaiting()
}

// startWaiting starts the streams that wait, as far as the bound allows.
func (c *clusterStreams) startWaiting() {
	for len(c.waiting) > 0 && len(c.all)-len(c.waiting) < maxStreams {
		c.start(c.waiting[0])
		c.waiting = slices.Delete(c.waiting, 0, 1)
	}
}

// watchTime returns how long a stream that is opened now is to last. The streams
// of a cluster end together: a start anew notifies keys, and starts that come
// together make one pass for each key instead of one for each stream.
func (c *clusterStreams) watchTime(now time.Time) time.Duration {
	if left := c.rotation.Sub(now); left >= minRotation {
		return left
	}
	whole := wait.Jitter(c.period, watchJitter)
	c.rotation = now.Add(whole)
	return whole
}
