package main

import (
	"context"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
)

const (
	// settleTime is what the manager gets to finish what is behind a step.
	settleTime = 20 * time.Second
	// idleProfiled is for how long the idle manager's CPU profile is taken, behind the
	// time that is measured.
	idleProfiled = 20 * time.Second
)

// idle measures for a time in which nothing happens, and saves profiles behind it.
func (w *world) idle(ctx context.Context) error {
	if w.options.idle == 0 {
		w.detail("left out: no time was given")
		return nil
	}
	if err := pause(ctx, min(settleTime, w.options.idle)); err != nil {
		return err
	}
	before, err := w.usage()
	if err != nil {
		return err
	}
	if err := w.simulation.Reset(ctx, nil); err != nil {
		return err
	}
	started := time.Now()
	if err := pause(ctx, w.options.idle); err != nil {
		return err
	}
	lasted := time.Since(started)
	after, err := w.usage()
	if err != nil {
		return err
	}
	seen, err := w.simulation.Seen(ctx)
	if err != nil {
		return err
	}
	i := &outcome.Idle{Seconds: lasted.Seconds(), Traffic: traffic(seen), Processes: since(before, after)}
	i.ManagerCPU = i.Processes[outcome.ManagerProcess].CPUSeconds / lasted.Seconds()
	i.Resident, i.Peak = after[outcome.ManagerProcess].Memory, after[outcome.ManagerProcess].PeakMemory
	for _, n := range seen.Watches {
		i.Watches += int64(n)
	}
	if err := w.lookInside(ctx, i); err != nil {
		return err
	}
	w.result.Idle = i
	w.detail("%.1f %% of a processor; %d MiB resident, %d MiB of heap in use, at most %d MiB resident so far",
		100*i.ManagerCPU, i.Resident>>20, i.HeapInUse>>20, i.Peak>>20)
	w.detail("%d goroutines, %d watches; %d requests, of which %d write", i.Goroutines, i.Watches, i.Traffic.Requests, i.Traffic.Writes)
	return nil
}

// lookInside saves the manager's profiles, and reads its metrics behind the collection that
// the profile of the heap asks for.
func (w *world) lookInside(ctx context.Context, i *outcome.Idle) error {
	for _, p := range []struct{ profile, file string }{
		{"goroutine", "idle-goroutine.pprof"}, {"heap?gc=1", "idle-heap.pprof"},
	} {
		if err := w.manager.saveProfile(ctx, p.profile, w.path(p.file)); err != nil {
			return err
		}
	}
	metrics, err := w.manager.metrics(ctx)
	if err != nil {
		return err
	}
	i.Goroutines, i.HeapInUse = int64(metrics["go_goroutines"]), int64(metrics["go_memstats_heap_inuse_bytes"])
	return w.profileCPU(ctx, min(idleProfiled, max(w.options.idle, time.Second)), "idle-cpu.pprof")
}
