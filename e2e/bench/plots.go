package main

import (
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/chart"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
)

// plots draws the charts of the page, by the name of their file.
func (b *bench) plots() (map[string][]byte, error) {
	install, err := b.installChart().SVG()
	if err != nil {
		return nil, err
	}
	cpu, err := b.cpuChart().SVG()
	if err != nil {
		return nil, err
	}
	return map[string][]byte{plotPrefix + "install.svg": install, plotPrefix + "cpu.svg": cpu}, nil
}

// installChart has a group for each release and a bar for each way.
func (b *bench) installChart() chart.Bars {
	c := chart.Bars{Title: "From nothing to the operator applied", Unit: "seconds"}
	for _, of := range b.releases {
		c.Groups = append(c.Groups, of.release.Name())
	}
	for _, w := range b.ways {
		series := chart.BarSeries{Name: w.Name()}
		for _, of := range b.releases {
			series.Bars = append(series.Bars, bar(b.samples.of(w.Name(), of.release.Name(), Install, timed).summary(operatorSeconds)))
		}
		c.Series = append(c.Series, series)
	}
	return c
}

// cpuChart has the CPU time of client and server of the first release's installation.
func (b *bench) cpuChart() chart.Bars {
	release := b.releases[0].release.Name()
	c := chart.Bars{
		Title: "CPU time of an installation of " + release, Unit: "seconds", Groups: []string{"client", "API server and etcd"},
	}
	for _, w := range b.ways {
		all := b.samples.of(w.Name(), release, Install, timed)
		c.Series = append(c.Series, chart.BarSeries{Name: w.Name(), Bars: []chart.Bar{
			bar(all.summary(clientSeconds)), bar(all.summary(serverSeconds)),
		}})
	}
	return c
}

func bar(s measure.Summary) chart.Bar {
	if s.Rounds == 0 {
		return chart.NoBar()
	}
	return chart.Bar{Value: s.Median, Min: s.Min, Max: s.Max}
}
