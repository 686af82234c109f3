package main

import "fmt"

const (
	// maxClusters is how many have room in their names, and in the simulator's addresses.
	maxClusters = 50_000
	// maxWave and maxLoad bound what a run adds to the fleet.
	maxWave = 500
	maxLoad = 200
	minLoad = 20
	// answering is how many Clusters that answer there are for a silent one.
	answering = 9
)

// group are simulated clusters: those from one up to, and without, another.
type group struct{ from, to int }

func (g group) size() int { return g.to - g.from }

// names returns the names of their Clusters.
func (g group) names() []string {
	all := make([]string, 0, g.size())
	for i := g.from; i < g.to; i++ {
		all = append(all, clusterName(i))
	}
	return all
}

func clusterName(i int) string { return fmt.Sprintf("c-%05d", i) }

// layout is what the simulated clusters are for.
type layout struct {
	// fleet are those that the run was asked for.
	fleet group
	// alone and beside are two waves; silent ones do not answer during the second.
	alone, beside, silent group
	// load are for the load generator, and have no Cluster.
	load group
}

func newLayout(clusters int) layout {
	at := 0
	take := func(n int) group {
		at += n
		return group{at - n, at}
	}
	wave := min(max(clusters/2, 1), maxWave)
	return layout{
		fleet: take(clusters),
		alone: take(wave), beside: take(wave), silent: take(max(wave/answering, 1)),
		load: take(len(widths) * min(max(clusters, minLoad), maxLoad)),
	}
}

// size returns how many simulated clusters there are.
func (l layout) size() int { return max(l.fleet.to, l.load.to) }
