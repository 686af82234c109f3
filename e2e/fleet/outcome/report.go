package outcome

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/chart"
)

// What is between these lines of a page is written by Insert.
const (
	begin = "<!-- make scale-report writes from here -->"
	end   = "<!-- to here -->"
)

// Plot is a plot for the page, in a file of its own.
type Plot struct {
	File  string
	Title string
	SVG   []byte
}

// Insert returns the page with the tables of the runs, and the plots, between its two marks.
func Insert(page string, runs []Run, plots []Plot) (string, error) {
	before, rest, ok := strings.Cut(page, begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", errors.New("lacks the lines that say where tables go")
	}
	var images strings.Builder
	for _, p := range plots {
		fmt.Fprintf(&images, "![%s](%s)\n\n", p.Title, p.File)
	}
	return before + begin + "\n\n" + Page(runs) + images.String() + end + after, nil
}

// Plots draws how memory and times grow with the number of Clusters. One run is no line.
func Plots(runs []Run) ([]Plot, error) {
	var plots []Plot
	for _, p := range []struct {
		file  string
		lines chart.Lines
	}{
		{"sizing-memory.svg", chart.Lines{
			Title: "Memory of the manager", X: "Clusters", Y: "MiB", LogX: true,
			Series: []chart.LineSeries{
				{Name: "peak", Points: points(runs, func(r Run) float64 { return mib(peak(r)) })},
				{Name: "idle", Points: points(runs, func(r Run) float64 { return mib(resident(r)) })},
			},
		}},
		{"sizing-ready.svg", chart.Lines{
			Title: "All Clusters labelled at once", X: "Clusters", Y: "seconds", LogX: true, LogY: true,
			Series: []chart.LineSeries{
				{Name: "all Ready", Points: points(runs, allReady)},
			},
		}},
	} {
		if len(p.lines.Series[0].Points) < 2 {
			continue
		}
		svg, err := p.lines.SVG()
		if err != nil {
			return nil, err
		}
		plots = append(plots, Plot{File: p.file, Title: p.lines.Title, SVG: svg})
	}
	return plots, nil
}

// points has one for each run that measured something.
func points(runs []Run, of func(Run) float64) []chart.Point {
	var all []chart.Point
	for _, r := range runs {
		if y := of(r); y > 0 {
			all = append(all, chart.Point{X: float64(r.Clusters), Y: y})
		}
	}
	return all
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func peak(r Run) int64 {
	if r.Idle == nil {
		return 0
	}
	return r.Idle.Peak
}

func resident(r Run) int64 {
	if r.Idle == nil {
		return 0
	}
	return r.Idle.Resident
}

func allReady(r Run) float64 {
	if r.Install == nil {
		return 0
	}
	return r.Install.Seconds
}
