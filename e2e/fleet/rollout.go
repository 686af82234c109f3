package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/outcome"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/remote"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

const (
	// profiled is for how long the CPU profile of a step is taken at most, a second for
	// each so many Clusters.
	profiled         = 30 * time.Second
	clustersASecond  = 20
	shortestProfiled = time.Second
)

// processes returns those that a run measures, by name.
func (w *world) processes() map[string]int {
	return map[string]int{
		outcome.ManagerProcess: w.manager.PID(), outcome.SimulatorProcess: w.simulation.PID(),
		outcome.EtcdProcess: w.management.EtcdPID(), outcome.ServerProcess: w.management.PID(),
	}
}

// usage returns what the processes have taken since they started.
func (w *world) usage() (map[string]measure.Usage, error) {
	used := map[string]measure.Usage{}
	for name, pid := range w.processes() {
		u, err := measure.Of(pid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		used[name] = u
	}
	return used, nil
}

// since returns what the processes took between two moments.
func since(before, after map[string]measure.Usage) map[string]outcome.Usage {
	took := map[string]outcome.Usage{}
	for name, u := range after {
		took[name] = outcome.Usage{CPUSeconds: (u.CPU - before[name].CPU).Seconds(), Peak: u.PeakMemory}
	}
	return took
}

// rollout changes Clusters and measures until all of the wave are Ready.
func (w *world) rollout(ctx context.Context, a *wave, change func(context.Context) error) (outcome.Rollout, error) {
	before, err := w.usage()
	if err != nil {
		return outcome.Rollout{}, err
	}
	asked, err := w.manager.requestsTo(ctx, w.management.Config.Host)
	if err != nil {
		return outcome.Rollout{}, err
	}
	if err := w.simulation.Reset(ctx, nil); err != nil {
		return outcome.Rollout{}, err
	}
	if err := change(ctx); err != nil {
		return outcome.Rollout{}, err
	}
	if err := w.watcher.wait(ctx, a); err != nil {
		return outcome.Rollout{}, err
	}
	return w.measured(ctx, a, before, asked)
}

// measured returns what was used and asked since a rollout began.
func (w *world) measured(
	ctx context.Context, a *wave, before map[string]measure.Usage, asked int64,
) (outcome.Rollout, error) {
	after, err := w.usage()
	if err != nil {
		return outcome.Rollout{}, err
	}
	askedNow, err := w.manager.requestsTo(ctx, w.management.Config.Host)
	if err != nil {
		return outcome.Rollout{}, err
	}
	seen, err := w.simulation.Seen(ctx)
	if err != nil {
		return outcome.Rollout{}, err
	}
	r := outcome.Rollout{
		Clusters: len(a.ready), Seconds: a.lasted().Seconds(), Traffic: traffic(seen),
		Processes: since(before, after), Downloads: w.files.counts(), Management: askedNow - asked,
	}
	r.ToEstablished, r.ToReady = a.spreads()
	return r, nil
}

func traffic(s remote.Seen) outcome.Traffic {
	t := outcome.Traffic{
		Requests: s.Total(), Kinds: s.Requests, Sent: s.Sent, Received: s.Received, Writes: s.Writes,
		Failed: map[string]int64{},
	}
	for status, n := range s.Failures {
		t.Failed[strconv.Itoa(status)] = n
	}
	return t
}

// install labels the whole fleet, and takes a CPU profile of its beginning.
func (w *world) install(ctx context.Context) error {
	first := w.layout.fleet.from
	if err := w.simulation.Record(ctx, first); err != nil {
		return err
	}
	lasting := min(max(time.Duration(w.options.clusters)*time.Second/clustersASecond, shortestProfiled), profiled)
	var profile errgroup.Group
	profile.Go(func() error { return w.profileCPU(ctx, lasting, "install-cpu.pprof") })
	a := w.watcher.await(newest, w.layout.fleet.names())
	r, err := w.rollout(ctx, a, func(ctx context.Context) error {
		return w.label(ctx, a, w.layout.fleet, newestSet)
	})
	if err != nil {
		return err
	}
	if err := profile.Wait(); err != nil {
		return err
	}
	w.result.Install = &r
	w.detail("all Ready in %.1f s; label to CRDs p50 %.1f s, p99 %.1f s; to Ready p50 %.1f s, p99 %.1f s", r.Seconds,
		r.ToEstablished.P50, r.ToEstablished.P99, r.ToReady.P50, r.ToReady.P99)
	w.detail("%.1f requests to the management cluster for each", float64(r.Management)/float64(r.Clusters))
	w.detail("%d requests, %.0f a second, failures by status %v; the manager took %.1f s of CPU and %d MiB at most",
		r.Traffic.Requests, r.PerSecond(), r.Traffic.Failed,
		r.Processes[outcome.ManagerProcess].CPUSeconds, r.Processes[outcome.ManagerProcess].Peak>>20)
	if w.recording, err = w.simulation.Recording(ctx); err != nil {
		return err
	}
	r.Refused = refused(w.recording)
	return nil
}

// refused returns the requests to one Cluster that failed, each as its status and path.
func refused(all []remote.Request) []string {
	var failed []string
	for _, r := range all {
		if r.Status >= http.StatusBadRequest {
			path, _, _ := strings.Cut(r.Path, "?")
			failed = append(failed, fmt.Sprintf("%d %s %s", r.Status, r.Method, path))
		}
	}
	return failed
}

// profileCPU saves a CPU profile of the manager from now on.
func (w *world) profileCPU(ctx context.Context, lasting time.Duration, name string) error {
	return w.manager.saveProfile(ctx, fmt.Sprintf("profile?seconds=%d", int(lasting.Seconds())), w.path(name))
}
