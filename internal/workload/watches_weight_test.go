package workload

import (
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// BenchmarkIdleStreams shows what a stream costs in which nothing happens any more:
// what a real API server holds open over one connection with HTTP/2, after an
// object as large as a CRD changed.
func BenchmarkIdleStreams(b *testing.B) {
	w := testenv.SharedWorkload(b)
	ns, c := testenv.NewNamespace(b, w.APIServer), newClient(b, w.Config)
	labelled(b, c, ns, "large", ns)
	for b.Loop() {
		before, told := weigh(), &counted{}
		watches := NewWatches(b.Context(), told.notify)
		keys := make([]types.NamespacedName, maxStreams)
		for i := range keys {
			keys[i].Name = strconv.Itoa(i)
			label := fmt.Sprintf("part=%s,number!=%d", ns, i)
			watches.Set(keys[i], c, []rollout.Target{{Resource: core(b, "ConfigMap"), Label: label}})
		}
		told.waitForAll(b, keys, 1)
		report(b, "new", before, weigh())
		annotate(b, w, ns, "large", strings.Repeat(rand.Text(), 3_000))
		told.waitForAll(b, keys, 2)
		report(b, "used", before, weigh())
		for _, key := range keys {
			watches.Stop(key)
		}
		testenv.Eventually(b, "all streams end", func() bool {
			return runtime.NumGoroutine() < before.goroutines+maxStreams/2
		})
	}
}

// waitForAll waits until each of the keys was notified so often.
func (c *counted) waitForAll(t testing.TB, keys []types.NamespacedName, times int) {
	t.Helper()
	testenv.Eventually(t, "every key is notified", func() bool {
		return !slices.ContainsFunc(keys, func(key types.NamespacedName) bool { return c.of(key) < times })
	})
}

// annotate changes an annotation of a ConfigMap as the administrator.
func annotate(t testing.TB, w *testenv.Workload, namespace, name, value string) {
	t.Helper()
	object := read(t, w.APIServer, namespace, name, &corev1.ConfigMap{})
	object.Annotations = map[string]string{"example.com/text": value}
	if err := w.Client.Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

func report(b *testing.B, of string, before, after weight) {
	b.Helper()
	b.ReportMetric(float64(after.goroutines-before.goroutines)/maxStreams, of+"-goroutines/stream")
	b.ReportMetric(float64(after.heap-before.heap)/maxStreams, of+"-heap-B/stream")
	b.ReportMetric(float64(after.stacks-before.stacks)/maxStreams, of+"-stack-B/stream")
}

// weight is what the process holds.
type weight struct{ goroutines, heap, stacks int }

func weigh() weight {
	var m runtime.MemStats
	for range 6 { // each halves the stacks that became idle
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return weight{
		goroutines: runtime.NumGoroutine(),
		heap:       int(m.HeapAlloc),
		stacks:     int(m.StackInuse),
	}
}
