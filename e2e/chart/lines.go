package chart

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// Lines is a chart of points that are joined.
type Lines struct {
	// Title of the chart, and what its axes are.
	Title, X, Y string
	// LogX and LogY make each step of an axis a multiple of the one before: all
	// figures of that axis must be above 0.
	LogX, LogY bool
	// Series have a colour each, which the legend names.
	Series []LineSeries
}

// LineSeries is one line.
type LineSeries struct {
	Name string
	// Points are joined in this order.
	Points []Point
}

// Point is a point of a line.
type Point struct{ X, Y float64 }

// SVG draws the chart.
func (l Lines) SVG() ([]byte, error) {
	p := newPlot(l.Title, l.X, l.Y)
	if l.LogX {
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	if l.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	drawn := 0
	for i, series := range l.Series {
		if err := l.check(series); err != nil {
			return nil, err
		}
		if len(series.Points) == 0 {
			continue
		}
		if err := series.add(p, i); err != nil {
			return nil, fmt.Errorf("chart %q: %s: %w", l.Title, series.Name, err)
		}
		drawn++
	}
	if drawn == 0 {
		return nil, fmt.Errorf("chart %q has no points", l.Title)
	}
	if !l.LogY {
		p.Y.Min = min(0, p.Y.Min)
	}
	return render(p)
}

// check refuses what has no place on an axis of multiples: the library would panic.
func (l Lines) check(series LineSeries) error {
	for _, point := range series.Points {
		if l.LogX && point.X <= 0 || l.LogY && point.Y <= 0 {
			return fmt.Errorf("chart %q: %s: the point (%g, %g) is not above 0", l.Title, series.Name, point.X, point.Y)
		}
	}
	return nil
}

func (s LineSeries) add(p *plot.Plot, i int) error {
	xys := make(plotter.XYs, len(s.Points))
	for j, point := range s.Points {
		xys[j] = plotter.XY{X: point.X, Y: point.Y}
	}
	line, points, err := plotter.NewLinePoints(xys)
	if err != nil {
		return err
	}
	line.Color, line.Width = colorOf(i), vg.Points(2)
	points.Color, points.Radius = colorOf(i), vg.Points(3)
	p.Add(line, points)
	p.Legend.Add(s.Name, line, points)
	return nil
}
