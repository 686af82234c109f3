package main

import (
	"fmt"
)

// Names of the ways that goals name and that are of other files.
const (
	fluxName    = "flux"
	helmName    = "helm"
	kubectlName = "kubectl"
)

// objective is a row of the table of goals: what was measured, and the bound of it.
type objective struct {
	what  string
	bound float64
	// atLeast turns the bound around.
	atLeast bool
	// unit follows the figures, such as " x".
	unit string
	// value is what was measured: ok is false if it was not.
	value float64
	ok    bool
}

// row of the table.
func (o objective) row() []string {
	word := "at most"
	if o.atLeast {
		word = "at least"
	}
	bound := fmt.Sprintf("%s %g%s", word, o.bound, o.unit)
	if !o.ok {
		return []string{o.what, bound, "not measured in this run", nothingThere}
	}
	met := "**not met**"
	if o.isMet() {
		met = "met"
	}
	return []string{o.what, bound, fmt.Sprintf("%.4g%s", o.value, o.unit), met}
}

func (o objective) isMet() bool {
	if !o.ok {
		return false
	}
	if o.atLeast {
		return o.value >= o.bound
	}
	return o.value <= o.bound
}

// objectives of the goals that this benchmark can measure, from the samples of one run.
func (all samples) objectives(compact int64, objects int) []objective {
	timesOf := func(way string, step StepKind, m mode) samples { return all.of(way, goalRelease, step, m) }
	ours, floor := timesOf(providerName, Install, timed), timesOf(floorName, Install, timed)
	goals := []objective{
		atMost("label to CRDs served, of the floor", 1.1, ours, floor, servedSeconds),
		atMost("label to operator applied, of the floor", 1.1, ours, floor, operatorSeconds),
	}
	for _, peer := range []struct {
		name  string
		times float64
	}{{fluxName, 1.8}, {helmName, 1.8}, {kubectlName, 2.8}} {
		theirs := timesOf(peer.name, Install, timed)
		goals = append(goals,
			faster("CRDs served, faster than "+peer.name, peer.times, ours, theirs, servedSeconds),
			faster("operator applied, faster than "+peer.name, peer.times, ours, theirs, operatorSeconds))
	}
	goals = append(goals, faster("operator applied over "+linkText()+" without descriptions, faster than the floor with them", 2.5,
		timesOf(strippedName, Install, slow), timesOf(floorName, Install, slow), operatorSeconds))
	goals = append(goals, all.trafficObjectives(float64(compact), float64(objects))...)
	return append(goals, faster("upgrade of a minor version, all applied, faster than flux", 3,
		timesOf(providerName, Upgrade, timed), timesOf(fluxName, Upgrade, timed), appliedSeconds))
}

// trafficObjectives are about what the provider's requests are.
func (all samples) trafficObjectives(compact, objects float64) []objective {
	install := all.of(providerName, goalRelease, Install, counted)
	again := all.of(providerName, goalRelease, Again, counted)
	upgrade := all.of(providerName, goalRelease, Upgrade, counted)
	mostRead := ""
	for _, s := range again {
		mostRead = " (here " + s.traffic.mostRead + ")"
	}
	figure := func(what string, bound float64, unit string, of samples, get func(traffic) float64) objective {
		s := of.summary(func(s sample) float64 { return get(s.traffic) })
		return objective{what: what, bound: bound, unit: unit, value: s.Max, ok: s.Rounds > 0}
	}
	return []objective{
		figure("requests of an installation, beside one an object", 15, "", install,
			func(t traffic) float64 { return float64(t.requests) - objects }),
		figure("of them answered with 400 or more", 0, "", install, func(t traffic) float64 { return float64(t.refused) }),
		figure("bytes sent, of the compact JSON", 1.05, " x", install, func(t traffic) float64 { return float64(t.sent) / compact }),
		figure("bytes received, of the compact JSON", 0.15, " x", install, func(t traffic) float64 { return float64(t.received) / compact }),
		figure("writes of a manager that is started anew and has nothing to do", 0, "", again,
			func(t traffic) float64 { return float64(t.writes) }),
		figure("its gets and lists of one kind"+mostRead+", at most", 1, "", again, func(t traffic) float64 { return float64(t.reads) }),
		figure("its watches of one kind, at most", 1, "", again, func(t traffic) float64 { return float64(t.watches) }),
		figure("writes of an upgrade to objects that are the same", 0, "", upgrade,
			func(t traffic) float64 { return float64(t.needless) }),
		figure("of the requests of an upgrade answered with 400 or more", 0, "", upgrade,
			func(t traffic) float64 { return float64(t.refused) }),
	}
}

// atMost compares the medians of ours and theirs.
func atMost(what string, bound float64, ours, theirs samples, of func(sample) float64) objective {
	a, b := ours.summary(of), theirs.summary(of)
	return objective{what: what, bound: bound, unit: " x", value: a.Median / b.Median, ok: a.Median > 0 && b.Median > 0}
}

func faster(what string, times float64, ours, theirs samples, of func(sample) float64) objective {
	o := atMost(what, times, theirs, ours, of)
	o.atLeast = true
	return o
}
