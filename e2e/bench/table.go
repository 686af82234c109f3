package main

import (
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

// nothingThere is in a cell without a figure.
const nothingThere = "–"

// table is one of Markdown.
type table struct {
	head []string
	rows [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// String aligns all columns but the first to the right.
func (t *table) String() string {
	var out strings.Builder
	line := func(cells []string) { out.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(t.head)
	rule := make([]string, len(t.head))
	for i := range rule {
		rule[i] = "--:"
	}
	rule[0] = "---"
	line(rule)
	for _, row := range t.rows {
		line(row)
	}
	return out.String()
}

// spread is a median with the smallest and the largest figure.
func spread(s measure.Summary, format string) string {
	switch {
	case s.Rounds == 0:
		return nothingThere
	case s.Min == s.Max:
		return fmt.Sprintf(format, s.Median)
	default:
		return fmt.Sprintf(format+" ("+format+"–"+format+")", s.Median, s.Min, s.Max)
	}
}

// secondsText is spread for times, where 0 means that there was nothing to be seen.
func secondsText(s measure.Summary) string {
	if s.Max == 0 {
		return nothingThere
	}
	return spread(s, "%.2f")
}

// countText groups the digits.
func countText(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// installTable has the times of an installation, for each way.
func (b *bench) installTable(of chosen) *table {
	t := &table{head: []string{"way", "CRDs served", "operator applied", "all applied", "way done",
		"client CPU", "client memory, MiB", "API server CPU"}}
	for _, w := range b.ways {
		all := b.samples.of(w.Name(), of.release.Name(), Install, timed)
		if len(all) == 0 {
			t.add(w.Name(), b.why(w.Name(), of, Install), "", "", "", "", "", "")
			continue
		}
		t.add(w.Name(), secondsText(all.summary(servedSeconds)), secondsText(all.summary(operatorSeconds)),
			secondsText(all.summary(appliedSeconds)), secondsText(all.summary(doneSeconds)),
			spread(all.summary(clientSeconds), "%.2f"), spread(all.summary(clientMiB), "%.0f"),
			spread(all.summary(serverSeconds), "%.2f"))
	}
	return t
}

// why returns why a way has no figures of a step.
func (b *bench) why(way string, of chosen, step StepKind) string {
	for _, s := range b.samples {
		if s.way == way && s.release == of.release.Name() && s.step == step && s.cannot != "" {
			return s.cannot
		}
	}
	return nothingThere
}

// laterTable has what follows an installation.
func (b *bench) laterTable(of chosen) *table {
	t := &table{head: []string{"way", "step", "all applied", "way done", "client CPU", "client memory, MiB", "API server CPU"}}
	for _, step := range laterSteps(of) {
		for _, w := range b.ways {
			all := b.samples.of(w.Name(), of.release.Name(), step, timed)
			if len(all) == 0 {
				t.add(w.Name(), string(step), b.why(w.Name(), of, step), "", "", "", "")
				continue
			}
			t.add(w.Name(), string(step), secondsText(all.summary(appliedSeconds)), secondsText(all.summary(doneSeconds)),
				spread(all.summary(clientSeconds), "%.2f"), spread(all.summary(clientMiB), "%.0f"),
				spread(all.summary(serverSeconds), "%.2f"))
		}
	}
	return t
}

func laterSteps(of chosen) []StepKind {
	if of.before == nil {
		return []StepKind{Again, Repair}
	}
	return []StepKind{Again, Repair, Upgrade}
}

// trafficTable has what the proxy counted.
func (b *bench) trafficTable(of chosen) *table {
	t := &table{head: []string{"way", "step", "requests", "writes", "answered with 400 or more",
		"bytes sent", "of the JSON", "bytes received", "of the JSON"}}
	for _, step := range append([]StepKind{Install}, laterSteps(of)...) {
		for _, w := range b.ways {
			for _, s := range b.samples.of(w.Name(), of.release.Name(), step, counted) {
				t.add(w.Name(), string(step), fmt.Sprint(s.traffic.requests), fmt.Sprint(s.traffic.writes),
					fmt.Sprint(s.traffic.refused), countText(s.traffic.sent), share(s.traffic.sent, of),
					countText(s.traffic.received), share(s.traffic.received, of))
			}
		}
	}
	return t
}

func share(n int64, of chosen) string {
	return fmt.Sprintf("%.2f", float64(n)/float64(of.release.compact))
}

// slowTable has the installations over the slow link.
func (b *bench) slowTable() *table {
	t := &table{head: []string{"way", "CRDs served", "operator applied", "all applied"}}
	for _, way := range []string{strippedName, floorName} {
		all := b.samples.of(way, goalRelease, Install, slow)
		t.add(way, secondsText(all.summary(servedSeconds)), secondsText(all.summary(operatorSeconds)),
			secondsText(all.summary(appliedSeconds)))
	}
	return t
}
