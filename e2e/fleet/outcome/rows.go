package outcome

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostKinds is how many kinds of requests a cell lists.
const mostKinds = 8

// with returns the value of a part, or "" where it was not measured.
func with[T any](part func(Run) *T, value func(T) string) func(Run) string {
	return func(r Run) string {
		if p := part(r); p != nil {
			return value(*p)
		}
		return ""
	}
}

func install(value func(Rollout) string) func(Run) string {
	return with(func(r Run) *Rollout { return r.Install }, value)
}

func idle(value func(Idle) string) func(Run) string {
	return with(func(r Run) *Idle { return r.Idle }, value)
}

func restart(value func(Restart) string) func(Run) string {
	return with(func(r Run) *Restart { return r.Restart }, value)
}

func storage(value func(Storage) string) func(Run) string {
	return with(func(r Run) *Storage { return r.Storage }, value)
}

func upgrade(value func(Upgrade) string) func(Run) string {
	return with(func(r Run) *Upgrade { return r.Upgrade }, value)
}

func waves(value func(Waves) string) func(Run) string {
	return with(func(r Run) *Waves { return r.Waves }, value)
}

var installRows = []row{
	{"until the last is Ready", install(func(o Rollout) string { return seconds(o.Seconds) })},
	{"label to CRDs established, p50 / p99", install(func(o Rollout) string { return o.ToEstablished.text() })},
	{"label to Ready, p50 / p99", install(func(o Rollout) string { return o.ToReady.text() })},
	{"requests for each Cluster", install(func(o Rollout) string { return each(o.Traffic.Requests, o.Clusters) })},
	{"requests that failed, by status", install(func(o Rollout) string { return failures(o.Traffic) })},
	{"those of one Cluster", install(func(o Rollout) string { return strings.Join(o.Refused, ", ") })},
	{"requests to the management cluster, for each Cluster", install(func(o Rollout) string {
		if o.Management == 0 {
			return ""
		}
		return each(o.Management, o.Clusters)
	})},
	{"bytes sent to / received from each Cluster", install(bytesEach)},
	{"requests a second", install(func(o Rollout) string { return grouped(int64(o.PerSecond())) })},
	{"requests a second of a bare load generator", with(func(r Run) *Load { return r.Load }, Load.text)},
	{"CPU seconds and peak memory of the manager", install(used(ManagerProcess))},
	{"of the simulator", install(used(SimulatorProcess))},
	{"of kube-apiserver", install(used(ServerProcess))},
	{"of etcd", install(used(EtcdProcess))},
	{"downloads of each file", install(downloads)},
}

var idleRows = []row{
	{"for", idle(func(i Idle) string { return seconds(i.Seconds) })},
	{"requests of all Clusters", idle(func(i Idle) string { return grouped(i.Traffic.Requests) })},
	{"by kind", idle(func(i Idle) string { return counts(i.Traffic.Kinds, mostKinds) })},
	{"writes", idle(func(i Idle) string { return grouped(i.Traffic.Writes) })},
	{"CPU of the manager, of one processor", idle(func(i Idle) string { return fmt.Sprintf("%.1f %%", 100*i.ManagerCPU) })},
	{"memory of the manager, now / heap in use / peak", idle(func(i Idle) string {
		return bytesText(float64(i.Resident)) + " / " + bytesText(float64(i.HeapInUse)) + " / " + bytesText(float64(i.Peak))
	})},
	{"goroutines", idle(func(i Idle) string { return grouped(i.Goroutines) })},
	{"open watches", idle(func(i Idle) string { return grouped(i.Watches) })},
}

var restartRows = []row{
	{"until the first request to a Cluster, p50 / last", restart(func(r Restart) string {
		return seconds(r.ToLook.P50) + " / " + seconds(r.ToLook.Max)
	})},
	{"until the last watch of a Cluster is open, p50 / last", restart(func(r Restart) string {
		return seconds(r.ToWatch.P50) + " / " + seconds(r.ToWatch.Max)
	})},
	{"requests for each Cluster", restart(func(r Restart) string { return each(r.Traffic.Requests, r.ToLook.Of) })},
	{"by kind", restart(func(r Restart) string { return counts(r.Traffic.Kinds, mostKinds) })},
	{"writes", restart(func(r Restart) string { return grouped(r.Traffic.Writes) })},
}

var storageRows = []row{
	{"its ClusterBundle", storage(func(s Storage) string { return bytesText(s.ClusterBundle) })},
	{"what was added to its Cluster", storage(func(s Storage) string { return bytesText(s.OnCluster) })},
	{"events, which expire in an hour", storage(func(s Storage) string { return bytesText(s.Events) })},
}

var upgradeRows = []row{
	{"from and to", upgrade(func(u Upgrade) string { return u.From + " to " + u.To })},
	{"Clusters", upgrade(func(u Upgrade) string { return grouped(int64(u.Rollout.Clusters)) })},
	{"until the last is Ready", upgrade(func(u Upgrade) string { return seconds(u.Rollout.Seconds) })},
	{"change to Ready, p50 / p99", upgrade(func(u Upgrade) string { return u.Rollout.ToReady.text() })},
	{"objects applied to each Cluster", upgrade(func(u Upgrade) string {
		return fmt.Sprintf("%.1f of %d, of which %d changed or are new", u.Applied, u.Objects, u.Changed)
	})},
	{"requests that failed, by status", upgrade(func(u Upgrade) string { return failures(u.Rollout.Traffic) })},
	{"CPU seconds and peak memory of the manager", upgrade(func(u Upgrade) string {
		return used(ManagerProcess)(u.Rollout)
	})},
}

var waveRows = []row{
	{"Clusters that answer, in each of two waves", waves(func(w Waves) string { return grouped(int64(w.Alone.Clusters)) })},
	{"silent ones beside them in the second", waves(func(w Waves) string { return grouped(int64(w.Silent)) })},
	{"label to Ready without silent ones, p50 / p99", waves(func(w Waves) string { return w.Alone.ToReady.text() })},
	{"beside them, p50 / p99", waves(func(w Waves) string { return w.Beside.ToReady.text() })},
	{"p99 of the others, over that without", waves(func(w Waves) string { return fmt.Sprintf("%.2f x", w.Ratio()) })},
}

// The processes of a run.
const (
	ManagerProcess   = "manager"
	SimulatorProcess = "simulator"
	ServerProcess    = "kube-apiserver"
	EtcdProcess      = "etcd"
)

func used(process string) func(Rollout) string {
	return func(o Rollout) string {
		u, ok := o.Processes[process]
		if !ok {
			return ""
		}
		return fmt.Sprintf("%.1f s, %s", u.CPUSeconds, bytesText(float64(u.Peak)))
	}
}

func (s Spread) text() string {
	if s.Of == 0 {
		return ""
	}
	return seconds(s.P50) + " / " + seconds(s.P99)
}

func (l Load) text() string {
	best := l.Best()
	return fmt.Sprintf("%s (%d at once)", grouped(int64(best.PerSecond())), best.Width)
}

func each(n int64, clusters int) string {
	return fmt.Sprintf("%.1f", ratio(float64(n), float64(clusters)))
}

func bytesEach(o Rollout) string {
	n := float64(o.Clusters)
	return bytesText(ratio(float64(o.Traffic.Sent), n)) + " / " + bytesText(ratio(float64(o.Traffic.Received), n))
}

func failures(t Traffic) string {
	if len(t.Failed) == 0 {
		return "none"
	}
	return counts(t.Failed, mostKinds)
}

func downloads(o Rollout) string {
	if len(o.Downloads) == 0 {
		return ""
	}
	times := slices.Collect(maps.Values(o.Downloads))
	least, most := slices.Min(times), slices.Max(times)
	if least == most {
		return fmt.Sprintf("%d (%d files)", most, len(times))
	}
	return fmt.Sprintf("%d to %d (%d files)", least, most, len(times))
}
