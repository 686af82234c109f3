package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// printSummary prints what was measured. It fails if something was downloaded
// more than once: then the demo did not show what it is for.
func (w *world) printSummary(context.Context) error {
	memory := "the manager's peak is known only on Linux"
	if peak, err := w.manager.PeakMemory(); err == nil {
		memory = "the manager's peak was " + bytesText(peak)
	}
	fmt.Fprintln(w.out)
	if err := printRollouts(w.out, w.bundle.release().Phases, w.members()); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "\nFrom the label on, as the demo's clock and the proxies before the clusters saw it:\n"+
		"requests of all clients, bytes of bodies, compressed where they were.\n\n")
	fmt.Fprintf(w.out, "Bundle     %s\n", w.bundle.origin)
	names := slices.Sorted(maps.Keys(w.bundle.files))
	fmt.Fprintf(w.out, "Downloads  %s\n", downloadsText(names, w.files.count, len(w.members())))
	fmt.Fprintf(w.out, "Memory     %s\n\n", memory)
	for _, name := range names {
		if n := w.files.count(name); n != 1 {
			return fmt.Errorf("%s was downloaded %d times", name, n)
		}
	}
	return nil
}

// printRollouts prints a table with a column for each cluster.
func printRollouts(out io.Writer, phases []v1alpha1.Phase, members []*member) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	row := func(name string, text func(rollout) string) {
		cells := []string{name}
		for _, m := range members {
			cells = append(cells, text(m.rollout))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	fmt.Fprint(w, "SUMMARY")
	for _, m := range members {
		fmt.Fprint(w, "\t", strings.ToUpper(m.name))
	}
	fmt.Fprintln(w)
	for _, phase := range phases {
		row("label -> "+milestone(phase.Name), func(r rollout) string { return seconds(r.phases[phase.Name]) })
	}
	row("label -> Ready", func(r rollout) string { return seconds(r.ready) })
	for _, verb := range verbs(members) {
		row(verb+" requests", func(r rollout) string { return fmt.Sprint(countVerb(r.requests, verb)) })
	}
	row("sent", func(r rollout) string { sent, _ := traffic(r.requests); return bytesText(sent) })
	row("received", func(r rollout) string { _, received := traffic(r.requests); return bytesText(received) })
	return w.Flush()
}

// milestone returns what it means that the phase is ready.
func milestone(phase string) string {
	switch phase {
	case "crds":
		return "CRDs served"
	case "operator":
		return "operator available"
	case "resources":
		return "resources applied, operator's report"
	default:
		return "phase " + phase + " ready"
	}
}

// verbs returns those of all requests, sorted.
func verbs(members []*member) []string {
	all := map[string]bool{}
	for _, m := range members {
		for _, request := range m.rollout.requests {
			all[request.Verb] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func countVerb(requests []testenv.Request, verb string) int {
	n := 0
	for _, request := range requests {
		if request.Verb == verb {
			n++
		}
	}
	return n
}

// traffic adds up the bytes that the clients sent and received.
func traffic(requests []testenv.Request) (sent, received int64) {
	for _, request := range requests {
		sent += request.Sent
		received += request.Received
	}
	return sent, received
}

// downloadsText returns how often each file was downloaded, as a sentence.
func downloadsText(names []string, count func(string) int, clusters int) string {
	counts := make([]string, 0, len(names))
	once := true
	for _, name := range names {
		n := count(name)
		once = once && n == 1
		counts = append(counts, fmt.Sprintf("%s %d", name, n))
	}
	text := strings.Join(counts, ", ")
	if once {
		text += fmt.Sprintf(": 1 download per file for %d clusters", clusters)
	}
	return text
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// bytesText returns n in the unit that keeps the number short: 1 MB is 1000 kB.
func bytesText(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1000)
	default:
		return fmt.Sprintf("%.2f MB", float64(n)/(1000*1000))
	}
}
