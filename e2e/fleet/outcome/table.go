package outcome

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// row is one line of the table: what a run measured, or "" if it did not.
type row struct {
	what  string
	value func(Run) string
}

// sections are the tables, in order.
var sections = []struct {
	title string
	rows  []row
}{
	{"All Clusters labelled at once", installRows},
	{"Nothing happens", idleRows},
	{"The manager starts again", restartRows},
	{"What the management cluster stores for each Cluster", storageRows},
	{"One minor version further", upgradeRows},
	{"One in ten is silent", waveRows},
}

// Page returns the tables of the runs, side by side, and the goals.
func Page(runs []Run) string {
	if len(runs) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString(origin(runs))
	for _, s := range sections {
		out.WriteString(table(s.title, s.rows, runs))
	}
	out.WriteString(goalTable(runs))
	return out.String()
}

// table returns a table without the rows that no run measured, or nothing.
func table(title string, rows []row, runs []Run) string {
	var lines []string
	for _, r := range rows {
		if line, measured := r.line(runs); measured {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	head := []string{title}
	for _, run := range runs {
		head = append(head, run.Title())
	}
	return fmt.Sprintf("| %s |\n|---|%s\n%s\n\n", strings.Join(head, " | "), strings.Repeat("---:|", len(runs)),
		strings.Join(lines, "\n"))
}

func (r row) line(runs []Run) (line string, measured bool) {
	line = "| " + r.what
	for _, run := range runs {
		value := r.value(run)
		measured = measured || value != ""
		line += " | " + cmp.Or(value, "not measured")
	}
	return line + " |", measured
}

// Title names a run in the head of a table.
func (r Run) Title() string {
	if r.Idles {
		return grouped(int64(r.Clusters)) + " idle Clusters"
	}
	return grouped(int64(r.Clusters)) + " Clusters"
}

func sortRuns(runs []Run) {
	slices.SortFunc(runs, func(a, b Run) int {
		return cmp.Or(cmp.Compare(a.Clusters, b.Clusters), cmp.Compare(a.name(), b.name()))
	})
}

// origin says where and when the runs took place.
func origin(runs []Run) string {
	var out strings.Builder
	for _, r := range runs {
		m := r.Machine
		fmt.Fprintf(&out, "- %s: %s, commit %s, %s, Kubernetes %s, %d processors, %s of memory, load before the run %.1f\n",
			r.Title(), m.Date, m.Commit, m.Go, m.Kubernetes, m.Processors, bytesText(float64(m.Memory)), m.LoadBefore)
	}
	return out.String() + "\n"
}

// seconds returns a time with as many digits as count.
func seconds(s float64) string {
	switch {
	case s < 10:
		return fmt.Sprintf("%.2f s", s)
	case s < 100:
		return fmt.Sprintf("%.1f s", s)
	default:
		return fmt.Sprintf("%.0f s", s)
	}
}

func bytesText(n float64) string {
	const kib = 1 << 10
	switch {
	case n < kib:
		return fmt.Sprintf("%.0f B", n)
	case n < kib*kib:
		return fmt.Sprintf("%.1f KiB", n/kib)
	case n < kib*kib*kib:
		return fmt.Sprintf("%.1f MiB", n/kib/kib)
	default:
		return fmt.Sprintf("%.2f GiB", n/kib/kib/kib)
	}
}

// grouped returns 1,000 for 1000.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// counts returns the largest counts by name, in one line.
func counts(of map[string]int64, most int) string {
	names := slices.SortedFunc(maps.Keys(of), func(a, b string) int {
		return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b))
	})
	var parts []string
	for i, name := range names {
		if i == most {
			parts = append(parts, fmt.Sprintf("and %d kinds more", len(names)-most))
			break
		}
		parts = append(parts, fmt.Sprintf("%s %s", name, grouped(of[name])))
	}
	return strings.Join(parts, ", ")
}
