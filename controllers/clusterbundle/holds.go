package clusterbundle

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// holds are the bundles that ClusterBundles in progress still need: the cache
// directory must not evict them between two passes. The zero value is empty.
type holds struct {
	mu       sync.Mutex
	releases map[types.NamespacedName]func()
}

// keep holds what hold holds on behalf of the key, in place of what was held before.
func (h *holds) keep(key types.NamespacedName, hold func() (release func())) {
	release := hold()
	h.mu.Lock()
	before := h.releases[key]
	if h.releases == nil {
		h.releases = make(map[types.NamespacedName]func())
	}
	h.releases[key] = release
	h.mu.Unlock()
	if before != nil {
		before()
	}
}

// drop ends what is held on behalf of the key.
func (h *holds) drop(key types.NamespacedName) {
	h.mu.Lock()
	release := h.releases[key]
	delete(h.releases, key)
	h.mu.Unlock()
	if release != nil {
		release()
	}
}
