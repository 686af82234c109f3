package simulator

import (
	"maps"
	"slices"
)

// Snapshot are the objects of a cluster at one moment.
type Snapshot struct {
	revision uint64
	kinds    map[storage][]*object
	served   []*definition
}

// Snapshot returns the objects as they are now. It costs little: states are shared.
func (c *Cluster) Snapshot() *Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &Snapshot{revision: c.revision, kinds: make(map[storage][]*object), served: slices.Clone(c.served)}
	for kind, objects := range c.kinds {
		s.kinds[kind] = slices.Clone(objects.objects)
	}
	return s
}

// Restart ends all connections and watches, as an API server does that is killed and
// starts again. With a snapshot, its etcd was restored from that: later objects are gone
// and resource versions are used again. It knows nothing of what happened before, so a
// watch from there is too old.
func (c *Cluster) Restart(from *Snapshot) {
	c.mu.Lock()
	c.restarts++
	if from != nil {
		c.revision, c.served = from.revision, slices.Clone(from.served)
		c.kinds = make(map[storage]*collection)
		for kind, objects := range from.kinds {
			c.kinds[kind] = &collection{slices.Clone(objects)}
		}
	}
	c.log = history{start: c.revision}
	for w := range maps.Keys(c.watchers) {
		w.poke()
	}
	c.resume()
	c.mu.Unlock()
	c.line.disconnect()
}

// resume has controllers look at every object again. The caller holds c.mu.
func (c *Cluster) resume() {
	for kind, objects := range c.kinds {
		for gvr, r := range theBuiltIns().resources {
			if gvr.Group != kind.group || gvr.Resource != kind.plural {
				continue
			}
			for _, o := range objects.objects {
				c.react(r, o)
			}
		}
	}
}
