package chart

import (
	"bytes"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Sizes of a chart, and how it is divided into the plot and its legend.
const (
	chartWidth  vg.Length = 720
	chartHeight vg.Length = 340
	legendWidth vg.Length = 110
	plotWidth             = chartWidth - legendWidth - 20
)

var (
	ink  = color.RGBA{R: 0x33, G: 0x3a, B: 0x44, A: 0xff}
	rule = color.RGBA{R: 0xdd, G: 0xe1, B: 0xe6, A: 0xff}
	// colors can also be told apart by those who do not see all of them (Okabe and Ito).
	colors = []color.RGBA{
		{R: 0x00, G: 0x72, B: 0xb2, A: 0xff},
		{R: 0xe6, G: 0x9f, B: 0x00, A: 0xff},
		{R: 0x00, G: 0x9e, B: 0x73, A: 0xff},
		{R: 0xcc, G: 0x79, B: 0xa7, A: 0xff},
		{R: 0x56, G: 0xb4, B: 0xe9, A: 0xff},
		{R: 0xd5, G: 0x5e, B: 0x00, A: 0xff},
		{R: 0x99, G: 0x99, B: 0x99, A: 0xff},
		{R: 0xf0, G: 0xe4, B: 0x42, A: 0xff},
	}
)

// The font that texts are measured by, and those that are as wide, for who does not have it.
const (
	fontName  = "Liberation Sans"
	fontsElse = ",Arial,Helvetica,sans-serif"
)

func colorOf(i int) color.Color { return colors[i%len(colors)] }

// newPlot returns a plot without anything in it but a grid.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = vg.Points(8)
	p.Title.TextStyle.Font.Size = vg.Points(14)
	p.Title.TextStyle.Color = ink
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Color, axis.Label.TextStyle.Color, axis.Tick.Label.Color, axis.Tick.Color = ink, ink, ink, ink
		axis.Label.TextStyle.Font.Size = vg.Points(11)
		axis.Tick.Label.Font.Size = vg.Points(10)
	}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Color = ink
	p.Legend.TextStyle.Font.Size = vg.Points(10)
	p.Legend.Padding = vg.Points(3)
	for _, style := range []*text.Style{
		&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label, &p.Legend.TextStyle,
	} {
		style.Font.Variant = "Sans"
	}
	grid := plotter.NewGrid()
	grid.Vertical.Width, grid.Horizontal.Color = 0, rule
	p.Add(grid)
	return p
}

// render makes the SVG, with a margin, and the legend beside the plot, where it hides nothing.
func render(p *plot.Plot) ([]byte, error) {
	canvas := vgsvg.New(chartWidth, chartHeight)
	all := draw.New(canvas)
	all.SetColor(color.White)
	all.Fill(all.Rectangle.Path())
	inner := draw.Crop(all, 10, -10, 10, -10)
	legend := p.Legend
	p.Legend = plot.NewLegend()
	p.Draw(draw.Crop(inner, 0, -legendWidth, 0, 0))
	legend.Draw(draw.Crop(inner, plotWidth, 0, 0, -vg.Points(30)))
	var out bytes.Buffer
	_, err := canvas.WriteTo(&out)
	return bytes.ReplaceAll(out.Bytes(), []byte(fontName), []byte(fontName+fontsElse)), err
}

// shifted draws spreads where the bars are, which lie beside the middle of their group.
type shifted struct {
	*plotter.YErrorBars

	by vg.Length
}

// Plot draws on a canvas that is moved.
func (s shifted) Plot(c draw.Canvas, p *plot.Plot) {
	c.Min.X += s.by
	c.Max.X += s.by
	s.YErrorBars.Plot(c, p)
}
