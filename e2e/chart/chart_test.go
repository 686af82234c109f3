package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// folderVariable names a folder to which the charts of the tests are written, for who
// wants to see them.
const folderVariable = "CHART_DIR"

func TestBarsAreDrawn(t *testing.T) {
	t.Parallel()
	svg, err := Bars{
		Title: "Time to CRDs", Unit: "seconds",
		Groups: []string{"calico 3.32.1", "logging-operator 6.7.0"},
		Series: []BarSeries{
			{"provider", []Bar{{1.5, 1.4, 1.8}, {1, 0.9, 1.2}}},
			{"kubectl", []Bar{{5, 4.5, 6}, {4, 4, 4}}},
			{"clusterresourceset", []Bar{NoBar(), {2, 1.5, 3}}},
		},
	}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	check(t, "bars", svg, "Time to CRDs", "seconds", "calico 3.32.1", "kubectl")
}

func TestLinesAreDrawn(t *testing.T) {
	t.Parallel()
	svg, err := Lines{
		Title: "Memory", X: "Clusters", Y: "MiB", LogX: true,
		Series: []LineSeries{
			{"idle", []Point{{10, 80}, {100, 120}, {1000, 400}}},
			{"while installing", []Point{{10, 100}, {100, 160}, {1000, 700}}},
			{"nothing", nil},
		},
	}.SVG()
	if err != nil {
		t.Fatal(err)
	}
	check(t, "lines", svg, "Memory", "Clusters", "MiB", "idle")
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	t.Parallel()
	charts := map[string]interface{ SVG() ([]byte, error) }{
		"bars without a group":         Bars{Title: "x", Series: []BarSeries{{"a", nil}}},
		"bars without a series":        Bars{Title: "x", Groups: []string{"a"}},
		"a series that lacks a bar":    Bars{Title: "x", Groups: []string{"a", "b"}, Series: []BarSeries{{"a", []Bar{{1, 1, 1}}}}},
		"lines without points":         Lines{Title: "x", Series: []LineSeries{{"a", nil}}},
		"a point at 0 of multiples":    Lines{Title: "x", LogX: true, Series: []LineSeries{{"a", []Point{{0, 1}}}}},
		"a point below 0 of multiples": Lines{Title: "x", LogY: true, Series: []LineSeries{{"a", []Point{{1, -1}}}}},
	}
	for name, c := range charts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if svg, err := c.SVG(); err == nil {
				t.Errorf("it was drawn: %d bytes", len(svg))
			}
		})
	}
}

// check fails unless the chart is XML that shows all the texts.
func check(t *testing.T, name string, svg []byte, texts ...string) {
	t.Helper()
	for decoder := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range texts {
		if !strings.Contains(string(svg), ">"+text+"<") {
			t.Errorf("%q is not shown", text)
		}
	}
	if n := strings.Count(string(svg), "font-family:"); n == 0 || n != strings.Count(string(svg), fontName+fontsElse) {
		t.Error("a text is in a font that is not everywhere")
	}
	if folder := os.Getenv(folderVariable); folder != "" {
		if err := os.WriteFile(folder+"/"+name+".svg", svg, 0o600); err != nil {
			t.Error(err)
		}
	}
}
