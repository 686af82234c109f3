package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

// restart stops the manager, starts it again, and waits until each Cluster has as many watches
// as before.
func (w *world) restart(ctx context.Context) error {
	before, err := w.simulation.Seen(ctx)
	if err != nil {
		return err
	}
	goals := before.Watches[:w.layout.fleet.to]
	w.manager.stop()
	if err := w.simulation.Reset(ctx, goals); err != nil {
		return err
	}
	if w.manager, err = startManager(ctx, w.management, w.cacheDir); err != nil {
		return err
	}
	if err := w.simulation.Await(ctx); err != nil {
		return errors.Join(err, w.manager.Ended(), w.notWatched(ctx, goals))
	}
	if err := pause(ctx, min(settleTime, max(w.options.idle, time.Second))); err != nil { // for late writes
		return err
	}
	seen, err := w.simulation.Seen(ctx)
	if err != nil {
		return err
	}
	r := &outcome.Restart{Traffic: traffic(seen)}
	if r.ToLook, err = behind(w.manager.Started(), seen.First[:w.layout.fleet.to]); err != nil {
		return err
	}
	if r.ToWatch, err = behind(w.manager.Started(), seen.Watched[:w.layout.fleet.to]); err != nil {
		return err
	}
	w.result.Restart = r
	w.detail("all looked at within %.1f s, all watched within %.1f s; %.1f requests for each, %d writes", r.ToLook.Max,
		r.ToWatch.Max, float64(r.Traffic.Requests)/float64(r.ToLook.Of), r.Traffic.Writes)
	return nil
}

// notWatched says which Clusters have fewer watches than before.
func (w *world) notWatched(ctx context.Context, goals []int) error {
	seen, err := w.simulation.Seen(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	var lacking []string
	for i, goal := range goals {
		if goal > 0 && seen.Watched[i].IsZero() {
			lacking = append(lacking, clusterName(i))
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	return fmt.Errorf("%d Clusters have fewer watches than before, %s among them", len(lacking), lacking[0])
}

// behind returns how long after the start something happened to each Cluster.
func behind(start time.Time, at []time.Time) (outcome.Spread, error) {
	var times []time.Duration
	for i, t := range at {
		if t.IsZero() {
			return outcome.Spread{}, fmt.Errorf("%s was not looked at", clusterName(i))
		}
		times = append(times, t.Sub(start))
	}
	return outcome.SpreadOf(times), nil
}
