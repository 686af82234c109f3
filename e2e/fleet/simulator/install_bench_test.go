package simulator

import (
	"net/http"
	"runtime"
	"testing"
	"time"
)

// BenchmarkInstall applies all objects of Calico to one cluster after the other, each
// over a connection of its own. It shows what a cluster holds of memory then, connection
// and client included, and how many requests a second one client gets.
func BenchmarkInstall(b *testing.B) {
	documents := documentsOf(b, "calico", "3.32.1")
	f := start(b, Options{Clusters: 3000, EstablishAfter: time.Millisecond, ServeAfter: time.Millisecond})
	first := peerOf(b, "simulated", f.Cluster(0).Config())
	paths := make([]string, len(documents))
	install := func(p *peer) {
		for i, d := range documents {
			if paths[i] == "" {
				paths[i] = pathOf(b, first, first, d)
			}
			for p.apply(b, paths[i], d) == http.StatusNotFound {
				runtime.Gosched() // Its kind is served in a moment.
			}
		}
	}
	install(first)
	before := heapInUse()
	n := 0
	for b.Loop() {
		n++
		if n == f.Len() {
			b.Fatalf("there are only %d clusters: give a shorter -benchtime", n)
		}
		install(peerOf(b, "simulated", f.Cluster(n).Config()))
	}
	b.ReportMetric(float64(heapInUse()-before)/float64(n), "heap-B/cluster")
	b.ReportMetric(float64(n*len(documents))/b.Elapsed().Seconds(), "requests/s")
}

// apply applies an object and returns the status.
func (p *peer) apply(b *testing.B, path string, d document) int {
	b.Helper()
	code, _ := p.send(b, call{"PATCH", path + "?force=true&fieldManager=caapb.default.set", applyJSON, asMetadata, d.body})
	return code
}

// heapInUse returns the bytes in use.
func heapInUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
