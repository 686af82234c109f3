package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

// installWaves installs the earlier release on two waves of equally many Clusters. During the
// second there are silent ones beside them.
func (w *world) installWaves(ctx context.Context) error {
	l, v := w.layout, &outcome.Waves{Silent: w.layout.silent.size()}
	if err := w.addClusters(ctx, group{l.alone.from, l.silent.to}); err != nil {
		return err
	}
	a := w.watcher.await(earlier, l.alone.names())
	var err error
	if v.Alone, err = w.rollout(ctx, a, func(ctx context.Context) error {
		return w.label(ctx, a, l.alone, earlierSet)
	}); err != nil {
		return err
	}
	w.detail("%d Clusters alone: p50 %.1f s, p99 %.1f s", l.alone.size(), v.Alone.ToReady.P50, v.Alone.ToReady.P99)
	if err := w.simulation.SetSilent(ctx, l.silent.from, l.silent.to, true); err != nil {
		return err
	}
	b, silent := w.watcher.await(earlier, l.beside.names()), w.watcher.await(earlier, l.silent.names())
	if v.Beside, err = w.rollout(ctx, b, func(ctx context.Context) error {
		// The silent ones come first, so that they are in the way from the beginning.
		return errors.Join(w.label(ctx, silent, l.silent, earlierSet), w.label(ctx, b, l.beside, earlierSet))
	}); err != nil {
		return err
	}
	w.detail("as many beside %d silent ones: p50 %.1f s, p99 %.1f s, %.2f x", v.Silent, v.Beside.ToReady.P50,
		v.Beside.ToReady.P99, v.Ratio())
	w.result.Waves = v
	return w.endSilence(ctx, silent)
}

// endSilence lets the silent Clusters answer, and waits until they are like the others.
func (w *world) endSilence(ctx context.Context, silent *wave) error {
	started := time.Now()
	if err := w.simulation.SetSilent(ctx, w.layout.silent.from, w.layout.silent.to, false); err != nil {
		return err
	}
	if err := w.watcher.wait(ctx, silent); err != nil {
		return fmt.Errorf("once the silent Clusters answered: %w", err)
	}
	w.detail("the silent ones are Ready %.1f s after they answer", time.Since(started).Seconds())
	return nil
}

// upgrade changes the set of both waves to the newest release.
func (w *world) upgrade(ctx context.Context) error {
	objects, changed, err := compare(w.releases, earlier, newest)
	if err != nil {
		return err
	}
	all := group{w.layout.alone.from, w.layout.silent.to}
	a := w.watcher.await(newest, all.names())
	set := newSet(earlierSet, newest)
	r, err := w.rollout(ctx, a, func(ctx context.Context) error {
		now := time.Now()
		for _, name := range all.names() {
			w.watcher.starting(a, name, now)
		}
		patch := fmt.Appendf(nil, `{"spec":{"bundle":{"version":%q}}}`, newest)
		return w.management.Client.Patch(ctx, set, client.RawPatch(mergePatch, patch), writer)
	})
	if err != nil {
		return err
	}
	u := &outcome.Upgrade{
		From: earlier, To: newest, Rollout: r, Changed: changed, Objects: objects,
		Applied: float64(applied(r.Traffic)) / float64(all.size()),
	}
	w.result.Upgrade = u
	w.detail("%d Clusters in %.1f s; %.1f objects applied to each, %d of %d changed or are new", all.size(), r.Seconds,
		u.Applied, changed, objects)
	return nil
}
