package capi_test

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/util/workqueue"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// use is what this process uses.
type use struct {
	heap, stacks float64
	goroutines   int
	cpu          time.Duration
}

func useNow(b *testing.B) use {
	b.Helper()
	for range 3 { // what a finalizer holds goes with the next
		runtime.GC()
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var times syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &times); err != nil {
		b.Fatal(err)
	}
	return use{
		heap: float64(memory.HeapAlloc), stacks: float64(memory.StackInuse), goroutines: runtime.NumGoroutine(),
		cpu: time.Duration(times.Utime.Nano() + times.Stime.Nano()),
	}
}

// BenchmarkConnectedClusters reports what 200 Clusters cost that are connected beside
// what they cost that are not, at once and after an idle minute. The API server they
// all are is another process.
func BenchmarkConnectedClusters(b *testing.B) {
	const n = 200
	m, w := testenv.SharedManagement(b), testenv.SharedWorkload(b)
	ns := testenv.NewNamespace(b, m.APIServer)
	seen := testenv.NewProxy(b, w.APIServer)
	keys := make([]client.ObjectKey, n)
	for i := range keys {
		options := testenv.ClusterOptions{Namespace: ns, Name: fmt.Sprintf("c%d", i), Workload: w}
		if i == 0 {
			options.Workload = seen
		}
		keys[i] = client.ObjectKeyFromObject(testenv.NewCluster(b, m, options))
	}
	for b.Loop() {
		measureConnected(b, newBenchmarked(b, m, ns), keys, seen)
	}
}

// benchmarked has a queue to add Clusters to, and connects them once they are selected.
type benchmarked struct {
	selects   chan struct{} // closed when they are
	looked    chan client.ObjectKey
	connected chan client.ObjectKey
	queue     workqueue.TypedRateLimitingInterface[reconcile.Request]
}

func newBenchmarked(b *testing.B, m *testenv.Management, ns string) *benchmarked {
	b.Helper()
	all := &benchmarked{
		selects: make(chan struct{}), looked: make(chan client.ObjectKey, 1000), connected: make(chan client.ObjectKey, 1000),
	}
	mgr, connections := newManager(b, m, ns), newConnections(b)
	connections.Subscribe(func(cluster client.ObjectKey) { all.connected <- cluster })
	if err := capi.SetupConnecting(mgr, capi.ConnectingOptions{
		Connections: noted{connections, all.looked},
		Selects: func(context.Context, *clusterv1.Cluster) bool {
			select {
			case <-all.selects:
				return true
			default:
				return false
			}
		},
		Changes: []source.Source{source.Func(func(_ context.Context, q workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			all.queue = q
			return nil
		})},
	}); err != nil {
		b.Fatal(err)
	}
	run(b, mgr)
	return all
}

func measureConnected(b *testing.B, all *benchmarked, keys []client.ObjectKey, seen *testenv.Proxy) {
	b.Helper()
	for range keys {
		<-all.looked
	}
	seen.Reset()
	before := useNow(b)
	close(all.selects)
	for _, key := range keys {
		all.queue.Add(reconcile.Request{NamespacedName: key})
	}
	for range keys {
		<-all.connected
	}
	connecting := len(seen.Requests())
	report(b, "connected", before, useNow(b), len(keys))
	seen.Reset()
	began := useNow(b)
	<-time.After(time.Minute)
	after := useNow(b)
	report(b, "idle", before, after, len(keys))
	b.ReportMetric(float64(connecting), "requests-to-connect")
	b.ReportMetric(float64(len(seen.Requests())), "requests/min")
	b.ReportMetric(float64((after.cpu - began.cpu).Milliseconds()), "ms-cpu/min")
}

func report(b *testing.B, when string, before, after use, clusters int) {
	b.Helper()
	each := func(difference float64) float64 { return difference / float64(clusters) }
	b.ReportMetric(each(after.heap-before.heap)/1024, when+"-KiB-heap/Cluster")
	b.ReportMetric(each(after.stacks-before.stacks)/1024, when+"-KiB-stacks/Cluster")
	b.ReportMetric(each(float64(after.goroutines-before.goroutines)), when+"-goroutines/Cluster")
}
