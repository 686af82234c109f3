package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

// mode is how a way reaches the API server.
type mode string

const (
	// timed: directly.
	timed mode = "timed"
	// counted: through a proxy that counts requests and bytes, and takes time itself.
	counted mode = "counted"
	// slow: over the slow link.
	slow mode = "slow"
)

// sample is what one step took.
type sample struct {
	way, release string
	step         StepKind
	mode         mode
	round        int

	// From the start of the step: all CRDs Established and served, the operator's workloads
	// applied, everything applied, and the way done by its own account. 0: nothing was to be seen.
	served, operator, applied, done time.Duration
	// client is what the way's processes used; server and etcd are CPU time.
	client       measure.Usage
	server, etcd time.Duration

	traffic traffic
	stored  stored
	// cannot is why the way does not do this, "" if it does.
	cannot string
}

// samples of a run.
type samples []sample

// of returns those of that way, release, step and mode that were done.
func (all samples) of(way, release string, step StepKind, m mode) samples {
	var some samples
	for _, s := range all {
		if s.way == way && s.release == release && s.step == step && s.mode == m && s.cannot == "" {
			some = append(some, s)
		}
	}
	return some
}

// summary of one figure of the samples.
func (all samples) summary(figure func(sample) float64) measure.Summary {
	figures := make([]float64, len(all))
	for i, s := range all {
		figures[i] = figure(s)
	}
	return measure.Summarize(figures)
}

func seconds(d func(sample) time.Duration) func(sample) float64 {
	return func(s sample) float64 { return d(s).Seconds() }
}

// The figures that tables and goals are about.
var (
	servedSeconds   = seconds(func(s sample) time.Duration { return s.served })
	operatorSeconds = seconds(func(s sample) time.Duration { return max(s.operator, s.served) })
	appliedSeconds  = seconds(func(s sample) time.Duration { return s.applied })
	doneSeconds     = seconds(func(s sample) time.Duration { return s.done })
	clientSeconds   = seconds(func(s sample) time.Duration { return s.client.CPU })
	serverSeconds   = seconds(func(s sample) time.Duration { return s.server + s.etcd })
)

func clientMiB(s sample) float64 { return float64(s.client.PeakMemory) / (1 << 20) }

// String is the line that the run prints.
func (s sample) String() string {
	head := fmt.Sprintf("%-18s %-22s %-8s %-8s", s.way, s.release, s.step, s.mode)
	if s.cannot != "" {
		return head + " " + s.cannot
	}
	line := fmt.Sprintf("%s served %5.2f s, operator %5.2f s, all %5.2f s, done %5.2f s, client %5.2f s %4.0f MiB, server %5.2f s",
		head, s.served.Seconds(), s.operator.Seconds(), s.applied.Seconds(), s.done.Seconds(),
		s.client.CPU.Seconds(), clientMiB(s), serverSeconds(s))
	if s.mode == counted {
		line += fmt.Sprintf(", %d requests (%d writes, %d refused), %d bytes sent, %d received, %d reads of %s",
			s.traffic.requests, s.traffic.writes, s.traffic.refused, s.traffic.sent, s.traffic.received,
			s.traffic.reads, cmp.Or(s.traffic.mostRead, "anything"))
	}
	return line
}
