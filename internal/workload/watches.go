package workload

import (
	"context"
	"maps"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

const (
	// A watch ends and is started again after five to ten minutes, as those of
	// client-go are, so that one that silently lost its server recovers.
	minWatch = 5 * time.Minute

	firstWatchRetry = time.Second
	maxWatchRetry   = 30 * time.Second

	// maxTargets bounds the watches of one key. Targets over it are not watched:
	// the timer of a closed gate covers them.
	maxTargets = 64
)

// Watches runs metadata-only watches in workload clusters and reports the keys
// whose targets had an event. It keeps nothing of what it saw: a watch costs a
// stream of a connection and no memory for objects.
type Watches struct {
	ctx    context.Context //nolint:containedctx // the lifetime of every watch
	notify func(types.NamespacedName)

	mu      sync.Mutex
	running map[types.NamespacedName]watching
}

// watching holds the watches of one key.
type watching struct {
	client  *Client
	targets map[rollout.Target]context.CancelFunc
}

// NewWatches returns Watches that run until ctx is done and that call notify with
// a key for each event of one of its targets. notify must not block for long.
func NewWatches(ctx context.Context, notify func(types.NamespacedName)) *Watches {
	return &Watches{ctx: ctx, notify: notify, running: make(map[types.NamespacedName]watching)}
}

// Want replaces the targets that are watched for the key, through the client.
// Each watch begins with a notification if an object is there, so that what
// happened just before is not lost.
func (w *Watches) Want(key types.NamespacedName, client *Client, targets []rollout.Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.running[key]
	if before.client != client {
		stop(before)
		before = watching{client: client, targets: make(map[rollout.Target]context.CancelFunc)}
	}
	wanted := make(map[rollout.Target]bool, len(targets))
	for _, target := range targets[:min(len(targets), maxTargets)] {
		wanted[target] = true
		if before.targets[target] == nil {
			before.targets[target] = w.watch(key, client, target)
		}
	}
	maps.DeleteFunc(before.targets, func(target rollout.Target, cancel context.CancelFunc) bool {
		if wanted[target] {
			return false
		}
		cancel()
		return true
	})
	w.running[key] = before
}

// Stop ends all watches of the key.
func (w *Watches) Stop(key types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stop(w.running[key])
	delete(w.running, key)
}

func stop(s watching) {
	for _, cancel := range s.targets {
		cancel()
	}
}

// watch runs one watch until the returned function is called.
func (w *Watches) watch(key types.NamespacedName, client *Client, target rollout.Target) context.CancelFunc {
	ctx, cancel := context.WithCancel(w.ctx)
	go func() {
		backoff := wait.Backoff{Duration: firstWatchRetry, Factor: 2, Jitter: 0.2, Steps: 10, Cap: maxWatchRetry}
		for {
			begun := time.Now()
			client.watchOnce(ctx, target, func() { w.notify(key) })
			if time.Since(begun) > maxWatchRetry {
				backoff.Duration, backoff.Steps = firstWatchRetry, 10
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(backoff.Step()):
			}
		}
	}()
	return cancel
}

// watchOnce watches until the server ends the watch and calls onEvent for
// every event. Without a resource version the server begins with an event for
// each object that is there.
func (c *Client) watchOnce(ctx context.Context, target rollout.Target, onEvent func()) {
	options := metav1.ListOptions{
		LabelSelector:  target.Label,
		TimeoutSeconds: new(int64(minWatch.Seconds()) + rand.Int63nRange(0, int64(minWatch.Seconds()))),
	}
	if target.Name != "" {
		options.FieldSelector = fields.OneTermEqualSelector(metav1.ObjectNameField, target.Name).String()
	}
	resource := c.metadata.Resource(schema.GroupVersionResource{
		Group: target.Resource.Group, Version: target.Resource.Version, Resource: target.Resource.Plural,
	})
	events, err := resource.Namespace(target.Namespace).Watch(ctx, options)
	if err != nil {
		// The next apply or read fails in the same way and reports it.
		return
	}
	defer events.Stop()
	for range events.ResultChan() {
		onEvent()
	}
}
