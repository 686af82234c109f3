package chart

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// barsWidth is the share of a group's place that its bars take.
const barsWidth = 0.8

// Bar is one bar: its height, and how far the figures behind it reach.
type Bar struct{ Value, Min, Max float64 }

// NoBar leaves the place of a bar empty.
func NoBar() Bar { return Bar{math.NaN(), math.NaN(), math.NaN()} }

func (b Bar) isThere() bool { return !math.IsNaN(b.Value) }

// Bars is a chart with groups of bars: one bar of each series in each group.
type Bars struct {
	// Title of the chart, and what the bars' heights are.
	Title, Unit string
	// Groups are the names below the bars.
	Groups []string
	// Series have a colour each, which the legend names.
	Series []BarSeries
}

// BarSeries are the bars of one colour.
type BarSeries struct {
	Name string
	// Bars are one for each group.
	Bars []Bar
}

// SVG draws the chart.
func (b Bars) SVG() ([]byte, error) {
	if len(b.Groups) == 0 || len(b.Series) == 0 {
		return nil, fmt.Errorf("chart %q has no bars", b.Title)
	}
	p := newPlot(b.Title, "", b.Unit)
	p.NominalX(b.Groups...)
	width := vg.Length(float64(plotWidth) * barsWidth / float64(len(b.Groups)*len(b.Series)))
	for i, series := range b.Series {
		if len(series.Bars) != len(b.Groups) {
			return nil, fmt.Errorf("chart %q: %s has %d bars for %d groups", b.Title, series.Name, len(series.Bars), len(b.Groups))
		}
		if err := series.add(p, i, len(b.Series), width); err != nil {
			return nil, fmt.Errorf("chart %q: %s: %w", b.Title, series.Name, err)
		}
	}
	p.X.Min, p.X.Max = -0.5, float64(len(b.Groups))-0.5
	p.Y.Min = 0
	return render(p)
}

// add draws the series as the i-th of n.
func (s BarSeries) add(p *plot.Plot, i, n int, width vg.Length) error {
	heights := make(plotter.Values, len(s.Bars))
	for group, bar := range s.Bars {
		if bar.isThere() {
			heights[group] = bar.Value
		}
	}
	chart, err := plotter.NewBarChart(heights, width)
	if err != nil {
		return err
	}
	chart.Color, chart.LineStyle.Width = colorOf(i), 0
	chart.Offset = width * vg.Length(float64(i)-float64(n-1)/2)
	p.Add(chart)
	p.Legend.Add(s.Name, chart)
	return s.addSpread(p, chart.Offset)
}

// addSpread draws from the smallest to the largest figure behind each bar.
func (s BarSeries) addSpread(p *plot.Plot, offset vg.Length) error {
	spread := &spreads{}
	for group, bar := range s.Bars {
		if !bar.isThere() || bar.Max == bar.Min {
			continue
		}
		spread.XYs = append(spread.XYs, plotter.XY{X: float64(group), Y: bar.Value})
		spread.YErrors = append(spread.YErrors, struct{ Low, High float64 }{bar.Value - bar.Min, bar.Max - bar.Value})
	}
	if len(spread.XYs) == 0 {
		return nil
	}
	bars, err := plotter.NewYErrorBars(spread)
	if err != nil {
		return err
	}
	bars.Color = ink
	p.Add(shifted{bars, offset})
	return nil
}

type spreads struct {
	plotter.XYs
	plotter.YErrors
}
