package simulator

import (
	"hash/maphash"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxRemembered bounds what is remembered of writes. What many clusters do comes again
// and again; what one does alone, never.
const maxRemembered = 20_000

// deed is a write to an object in a state. It has the same result in every cluster.
type deed struct {
	before   *state
	key      types.NamespacedName
	resource *resource
	what     string
	manager  string
	force    bool
	body     digest
}

// digest is that of a body.
type digest struct {
	sum  uint64
	size int
}

var seed = maphash.MakeSeed()

func digestOf(body []byte) digest { return digest{maphash.Bytes(seed, body), len(body)} }

// result is the state behind a deed, the same as before if nothing changed, or why it
// is refused.
type result struct {
	after   *state
	refused *metav1.Status
}

// memo remembers results. Who comes while a result is worked out waits for it.
type memo[K comparable, V any] struct {
	mu    sync.Mutex
	known map[K]func() V
}

// get returns what is known, or works it out once for all.
func (m *memo[K, V]) get(key K, work func() V) V {
	m.mu.Lock()
	once, ok := m.known[key]
	if !ok {
		if m.known == nil || len(m.known) >= maxRemembered {
			m.known = make(map[K]func() V)
		}
		once = sync.OnceValue(work)
		m.known[key] = once
	}
	m.mu.Unlock()
	return once()
}
