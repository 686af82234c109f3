package outcome

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// goalClusters is how many Clusters the goals are for.
const goalClusters = 1000

// goal is what a run of a thousand Clusters is to reach.
type goal struct {
	what, limit string
	// measured returns "" where the run did not measure it.
	measured func(Run) (figure string, met bool)
}

var goals = []goal{
	{"all Ready", "at least 0.5 x the requests a second of the load generator", rateGoal},
	{"requests that fail during the install", "none", failedGoal},
	{"peak memory of the manager", "at most 300 MiB", memoryGoal},
	{"CPU of the manager while nothing happens", "at most 5 % of a processor", idleGoal},
	{"writes while nothing happens, and after a restart", "none", writesGoal},
	{"etcd of the management cluster for each Cluster", "at most 5 KB", storageGoal},
	{"restart", "all looked at within 60 s", restartGoal},
	{"one in ten silent", "p99 of the others at most 1.1 x of that without", wavesGoal},
	{"downloads", "one for each digest", downloadsGoal},
	{"upgrade", "only changed objects", upgradeGoal},
}

// goalTable compares the run of a thousand Clusters with its goals. Without one there is none.
func goalTable(runs []Run) string {
	at := slices.IndexFunc(runs, func(r Run) bool { return r.Clusters == goalClusters && !r.Idles })
	if at < 0 {
		return ""
	}
	var lines strings.Builder
	for _, g := range goals {
		if figure, met := g.measured(runs[at]); figure != "" {
			fmt.Fprintf(&lines, "| %s | %s | %s | %s |\n", g.what, g.limit, figure, verdict(met))
		}
	}
	if figure, met := growth(runs); figure != "" {
		fmt.Fprintf(&lines, "| memory of the manager | at most 200 KiB for each further Cluster | %s | %s |\n",
			figure, verdict(met))
	}
	if lines.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("| %s Clusters | goal | measured | |\n|---|---|---:|---|\n%s\n", grouped(goalClusters), lines.String())
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "**missed**"
}

func rateGoal(r Run) (string, bool) {
	if r.Install == nil || r.Load == nil {
		return "", false
	}
	share := ratio(r.Install.PerSecond(), r.Load.Best().PerSecond())
	return fmt.Sprintf("%.2f x", share), share >= 0.5
}

func failedGoal(r Run) (string, bool) {
	if r.Install == nil {
		return "", false
	}
	return failures(r.Install.Traffic), len(r.Install.Traffic.Failed) == 0
}

// memoryGoal takes the peak behind the idle time, which is that of the install and of the
// watches together.
func memoryGoal(r Run) (string, bool) {
	if r.Idle == nil {
		return "", false
	}
	return bytesText(float64(r.Idle.Peak)), r.Idle.Peak <= 300<<20
}

func idleGoal(r Run) (string, bool) {
	if r.Idle == nil {
		return "", false
	}
	return fmt.Sprintf("%.1f %%", 100*r.Idle.ManagerCPU), r.Idle.ManagerCPU <= 0.05
}

func writesGoal(r Run) (string, bool) {
	if r.Idle == nil || r.Restart == nil {
		return "", false
	}
	idle, restart := r.Idle.Traffic.Writes, r.Restart.Traffic.Writes
	return fmt.Sprintf("%s and %s", grouped(idle), grouped(restart)), idle+restart == 0
}

func storageGoal(r Run) (string, bool) {
	if r.Storage == nil {
		return "", false
	}
	return bytesText(r.Storage.Total()), r.Storage.Total() <= 5000
}

func restartGoal(r Run) (string, bool) {
	if r.Restart == nil {
		return "", false
	}
	return seconds(r.Restart.ToLook.Max), r.Restart.ToLook.Max <= 60
}

func wavesGoal(r Run) (string, bool) {
	if r.Waves == nil {
		return "", false
	}
	return fmt.Sprintf("%.2f x", r.Waves.Ratio()), r.Waves.Ratio() <= 1.1
}

func downloadsGoal(r Run) (string, bool) {
	if r.Install == nil || len(r.Install.Downloads) == 0 {
		return "", false
	}
	most := slices.Max(slices.Collect(maps.Values(r.Install.Downloads)))
	return downloads(*r.Install), most == 1
}

func upgradeGoal(r Run) (string, bool) {
	if r.Upgrade == nil {
		return "", false
	}
	u := r.Upgrade
	return fmt.Sprintf("%.1f applied, %d changed", u.Applied, u.Changed), u.Applied <= float64(u.Changed)
}

// growth is what a Cluster adds to the peak between a thousand Clusters and the run with the
// most.
func growth(runs []Run) (string, bool) {
	var base, most *Run
	for i, r := range runs {
		if r.Idle == nil || r.Idles {
			continue
		}
		if r.Clusters == goalClusters {
			base = &runs[i]
		}
		if most == nil || r.Clusters > most.Clusters {
			most = &runs[i]
		}
	}
	if base == nil || most.Clusters <= base.Clusters {
		return "", false
	}
	more := float64(most.Idle.Peak-base.Idle.Peak) / float64(most.Clusters-base.Clusters)
	return bytesText(more), more <= 200<<10
}
