package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// crdPhase is the phase of the Bundle that has the CRDs.
const crdPhase = "crds"

// watcher sees all ClusterBundles, by one watch.
type watcher struct {
	cancel context.CancelFunc
	ended  chan struct{}

	mu    sync.Mutex
	waves []*wave
	// reasons are why a Cluster is not Ready, by its name.
	reasons map[string]string
}

// wave is a number of Clusters that are awaited to be Ready with one version.
type wave struct {
	version string
	done    chan struct{}

	// starts are when each Cluster was changed; pending are those that are not Ready yet.
	starts             map[string]time.Time
	pending            map[string]bool
	established, ready map[string]time.Time
}

// startWatcher starts the watch, which goes on until stop.
func startWatcher(ctx context.Context, config *rest.Config) (*watcher, error) {
	all, err := cache.New(config, cache.Options{
		Scheme: testenv.Scheme(), DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return nil, err
	}
	w := &watcher{ended: make(chan struct{}), reasons: map[string]string{}}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel = cancel
	go func() {
		defer close(w.ended)
		_ = all.Start(running) // It fails only when it is started twice.
	}()
	informer, err := all.GetInformer(ctx, &v1alpha1.ClusterBundle{})
	if err != nil {
		w.stop()
		return nil, fmt.Errorf("watch of the ClusterBundles: %w", err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { w.see(o, time.Now()) },
		UpdateFunc: func(_, o any) { w.see(o, time.Now()) },
	})
	return w, err
}

// stop ends the watch. It may be called on nil.
func (w *watcher) stop() {
	if w == nil {
		return
	}
	w.cancel()
	<-w.ended
}

// await returns a wave of these Clusters. Those that have no start are not counted yet.
func (w *watcher) await(version string, names []string) *wave {
	a := &wave{
		version: version, done: make(chan struct{}), starts: map[string]time.Time{}, pending: map[string]bool{},
		established: map[string]time.Time{}, ready: map[string]time.Time{},
	}
	for _, name := range names {
		a.pending[name] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waves = append(w.waves, a)
	return a
}

// starting notes that a Cluster is about to be changed.
func (w *watcher) starting(a *wave, name string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a.starts[name] = at
}

// see notes what a ClusterBundle reports.
func (w *watcher) see(object any, at time.Time) {
	b, ok := object.(*v1alpha1.ClusterBundle)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	reason := reasonOf(b.GetConditions())
	w.reasons[b.Spec.ClusterName] = reason
	w.waves = slices.DeleteFunc(w.waves, func(a *wave) bool { return a.see(b, reason == "", at) })
}

// see reports whether the wave is complete with the ClusterBundle.
func (a *wave) see(b *v1alpha1.ClusterBundle, isReady bool, at time.Time) bool {
	name := b.Spec.ClusterName
	if !a.pending[name] || b.Spec.Version != a.version || b.Status.ObservedGeneration != b.Generation {
		return false
	}
	if _, known := a.established[name]; !known && isComplete(b, crdPhase) {
		a.established[name] = at
	}
	if !isReady {
		return false
	}
	a.ready[name] = at
	delete(a.pending, name)
	if len(a.pending) == 0 {
		close(a.done)
	}
	return len(a.pending) == 0
}

// isComplete reports whether the phase is ready.
func isComplete(b *v1alpha1.ClusterBundle, phase string) bool {
	return slices.ContainsFunc(b.Status.Phases, func(p v1alpha1.PhaseStatus) bool {
		return p.Name == phase && p.State == v1alpha1.ReadyPhaseState
	})
}

// reasonOf returns why the Ready condition is not True, "" if it is.
func reasonOf(conditions []metav1.Condition) string {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ReadyCondition)
	switch {
	case ready == nil:
		return "has no status yet"
	case ready.Status != metav1.ConditionTrue:
		return ready.Reason + ": " + ready.Message
	default:
		return ""
	}
}

// wait returns when all Clusters of the wave are Ready, or with what is lacking.
func (w *watcher) wait(ctx context.Context, a *wave) error {
	select {
	case <-a.done:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(a.pending) == 0 {
		return nil
	}
	first := slices.Min(slices.Collect(maps.Keys(a.pending)))
	reason, known := w.reasons[first]
	if !known {
		reason = "has no ClusterBundle"
	}
	return fmt.Errorf("%d of %d Clusters are Ready with %s, and not %s: %s",
		len(a.ready), len(a.ready)+len(a.pending), a.version, first, reason)
}

// spreads returns how long the Clusters of a complete wave took.
func (a *wave) spreads() (toEstablished, toReady outcome.Spread) {
	var established, ready []time.Duration
	for name, start := range a.starts {
		if at, ok := a.established[name]; ok {
			established = append(established, at.Sub(start))
		}
		ready = append(ready, a.ready[name].Sub(start))
	}
	return outcome.SpreadOf(established), outcome.SpreadOf(ready)
}

// lasted is from the first change until the last Cluster was Ready.
func (a *wave) lasted() time.Duration {
	var first, last time.Time
	for _, start := range a.starts {
		if first.IsZero() || start.Before(first) {
			first = start
		}
	}
	for _, at := range a.ready {
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(first)
}
