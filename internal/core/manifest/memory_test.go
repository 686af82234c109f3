package manifest

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

// endless is a stream of documents of at least size bytes that is made while it
// is read.
type endless struct {
	size     int64
	document func(n int) string
	made     int64
	count    int
	rest     string
}

// Read implements io.Reader.
func (e *endless) Read(p []byte) (int, error) {
	if e.rest == "" {
		if e.made >= e.size {
			return 0, io.EOF
		}
		e.rest = e.document(e.count)
		e.made += int64(len(e.rest))
		e.count++
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

// configMap returns a maker of ConfigMaps of about the given number of bytes.
func configMap(size int) func(n int) string {
	text := strings.Repeat("    0123456789 0123456789 0123456789 0123456789 0123456789 012345678\n", size/70+1)
	return func(n int) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c%d\ndata:\n  text: |\n%s", n, text)
	}
}

// TestScanMemory reads 200 MB that are never in memory as a whole.
func TestScanMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 200 MB")
	}
	const bound = 64 << 20
	stream := &endless{size: 200 << 20 / slowdown, document: configMap(256 << 10)}
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var objects int
	var peak uint64
	for _, err := range Objects(stream, "stream.yaml", DefaultLimits()) {
		if err != nil {
			t.Fatal(err)
		}
		objects++
		runtime.ReadMemStats(&now)
		peak = max(peak, now.HeapAlloc)
	}
	if objects != stream.count || stream.made < stream.size {
		t.Errorf("%d objects in %d documents and %d bytes", objects, stream.count, stream.made)
	}
	if grown := int64(peak) - int64(before.HeapAlloc); grown > bound {
		t.Errorf("the heap grew by %d bytes, want at most %d", grown, bound)
	}
}

// TestTooManyNodesAreRefusedBeforeATreeIsMade allocates 300 times the text with a tree.
func TestTooManyNodesAreRefusedBeforeATreeIsMade(t *testing.T) {
	text := "a: [" + strings.Repeat("{b},", 250_000) + "]\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_ = refusal(t, text, DefaultLimits())
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > uint64(20*len(text)) {
		t.Errorf("%d bytes were allocated for a text of %d", allocated, len(text))
	}
}
