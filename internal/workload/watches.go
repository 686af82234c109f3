package workload

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// The starts of streams come in groups, which windows collect. Those of a new
	// key are open within a few round trips, and its pass may wait for what they
	// report. Those of a rotation, or of an API server that came back, are spread
	// by the jitter of firstWatchRetry and the whole seconds of timeoutSeconds.
	startWindow   = 50 * time.Millisecond
	restartWindow = time.Second

	// overflowPeriod is how often the keys of streams over the bound are notified.
	overflowPeriod = time.Minute
)

// Watches runs metadata-only watches in workload clusters and reports the keys
// whose targets had an event. All keys of a workload cluster share its streams:
// there is one for each resource of which members are watched, those of all sets,
// and one for each other target. Of what was seen only two hashes for each object
// are kept: a watch costs a stream of a connection and no memory for objects.
type Watches struct {
	ctx    context.Context //nolint:containedctx // the lifetime of every watch
	notify func(types.NamespacedName)
	open   opener
	period time.Duration // how long a stream lasts at least

	mu        sync.Mutex
	clusters  map[*Client]*clusterStreams
	interests map[types.NamespacedName]interest
	started   starts // for the first time
	restarted starts
	flooded   starts // and events that are more than a workload cluster may have
}

// starts are the keys of streams that began. They are notified together when the
// window is over that opened with the first of them.
type starts struct {
	window time.Duration
	keys   sets.Set[types.NamespacedName]
}

// interest holds what one key watches, and through which client.
type interest struct {
	client        *Client
	subscriptions []subscription
}

// NewWatches returns Watches that run until ctx is done and that call notify with
// a key for each event of one of its targets. notify must not block for long.
func NewWatches(ctx context.Context, notify func(types.NamespacedName)) *Watches {
	return newWatches(ctx, notify, openWatch)
}

func newWatches(ctx context.Context, notify func(types.NamespacedName), open opener) *Watches {
	w := &Watches{
		ctx: ctx, notify: notify, open: open, period: minWatch,
		clusters:  make(map[*Client]*clusterStreams),
		interests: make(map[types.NamespacedName]interest),
		started:   starts{startWindow, sets.New[types.NamespacedName]()},
		restarted: starts{restartWindow, sets.New[types.NamespacedName]()},
		flooded:   starts{floodWindow, sets.New[types.NamespacedName]()},
	}
	go w.notifyOverflow()
	return w
}

// Set replaces the targets that are watched for the key, through the client. The
// key is notified after the watch of a target began, and whenever it began anew, so
// that what happened before or in between is found. A client of ForPass looked at its
// targets: their watches begin where it did, and nobody is notified.
func (w *Watches) Set(key types.NamespacedName, client *Client, targets []rollout.Target) {
	seen := client.saw()
	client = client.whole()
	w.mu.Lock()
	defer w.mu.Unlock()
	before, wanted := w.interests[key], subscriptionsOf(targets)
	if before.client != client {
		w.leave(key, before, nil)
		before = interest{}
	}
	// What ends makes room for what begins.
	w.leave(key, before, wanted)
	w.join(key, client, wanted, seen)
	w.interests[key] = interest{client: client, subscriptions: wanted}
}

// Look is called before the key looks at its targets through the client. It returns
// a function that reports whether nothing happened to a target since the last call:
// its watch missed nothing and had no event that counts for the target.
func (w *Watches) Look(key types.NamespacedName, client *Client) func(rollout.Target) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	quiet := sets.New[subscription]()
	if from := w.interests[key]; from.client == client {
		for _, s := range from.subscriptions {
			if w.clusters[client].all[s.target].look(s.of(key)) {
				quiet.Insert(s)
			}
		}
	}
	return func(target rollout.Target) bool { return quiet.Has(subscriptionOf(target)) }
}

// Stop ends what is watched for the key.
func (w *Watches) Stop(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.leave(key, w.interests[key], nil)
	delete(w.interests, key)
}

// leave ends the subscriptions of a key but those to keep. The caller holds w.mu.
func (w *Watches) leave(key types.NamespacedName, from interest, keep []subscription) {
	streams := w.clusters[from.client]
	if streams == nil {
		return
	}
	for _, s := range from.subscriptions {
		if !slices.Contains(keep, s) {
			streams.leave(key, s)
		}
	}
	if len(streams.all) == 0 {
		delete(w.clusters, from.client)
	}
}

// join adds the subscriptions of a key that it does not have. The caller holds w.mu.
func (w *Watches) join(key types.NamespacedName, client *Client, wanted []subscription, seen *seen) {
	if len(wanted) == 0 {
		return
	}
	streams := w.clusters[client]
	if streams == nil {
		streams = newClusterStreams(w.period, func(s *stream) { w.start(client, s) })
		w.clusters[client] = streams
	}
	begin := seen.beginnings(wanted)
	maps.DeleteFunc(begin, func(target rollout.Target, at beginning) bool {
		return at.from == 0 || streams.all[target] != nil
	})
	for _, s := range wanted {
		at, knows := begin[s.target]
		switch isUnderWay := streams.join(key, s, at); {
		case knows && streams.all[s.target].from != "":
			streams.all[s.target].quiet.Insert(s.of(key))
		case isUnderWay:
			// Events since the key looked went to others only.
			w.add(&w.started, key)
		}
	}
}

// add adds keys of streams that began. The caller holds w.mu.
func (w *Watches) add(to *starts, keys ...types.NamespacedName) {
	if len(keys) == 0 {
		return
	}
	if to.keys.Len() == 0 {
		time.AfterFunc(to.window, func() { w.notifyAll(w.take(to)) })
	}
	to.keys.Insert(keys...)
}

// take returns the keys of streams that began, without those that were stopped
// meanwhile, and empties the list.
func (w *Watches) take(from *starts) []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	var keys []types.NamespacedName
	for key := range from.keys {
		if _, ok := w.interests[key]; ok {
			keys = append(keys, key)
		}
	}
	from.keys.Clear()
	return keys
}

// notifyOverflow notifies the keys of streams over the bound of their cluster
// from time to time, in place of their events.
func (w *Watches) notifyOverflow() {
	tick := time.NewTicker(overflowPeriod)
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-tick.C:
			w.notifyAll(w.overflow())
		}
	}
}

// overflow returns the keys of streams over the bound of their cluster.
func (w *Watches) overflow() []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	keys := sets.New[types.NamespacedName]()
	for _, streams := range w.clusters {
		for _, s := range streams.waiting {
			keys.Insert(s.keys()...)
		}
	}
	return keys.UnsortedList()
}

// notifyAll must be called without the lock: notify waits until the event is received.
func (w *Watches) notifyAll(keys []types.NamespacedName) {
	for _, key := range keys {
		if w.ctx.Err() != nil {
			return
		}
		w.notify(key)
	}
}
