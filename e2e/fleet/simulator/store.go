package simulator

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// store are the objects of a cluster. Cluster.mu guards it.
type store struct {
	revision uint64
	numbers  uint64 // of objects that were made, since the fleet started
	kinds    map[storage]*collection
	log      history
	watchers map[*watcher]struct{}
	// served are the definitions whose kinds are served.
	served []*definition
	// servedAt is when the last of them began to be.
	servedAt time.Time
	// restarts counts how often the cluster lost what it was about to do.
	restarts int
}

// collection are the objects of a kind, by namespace and name.
type collection struct{ objects []*object }

// change is what happened to an object.
type change struct {
	storage storage
	// before is the state before it, after the object behind it. Of a creation and of
	// an end there is one of them only: of an end, after has the last state and the
	// revision of the end.
	before *state
	after  *object
	isEnd  bool
}

// history are the last changes of a cluster.
type history struct {
	changes []change
	// start is the revision behind which every change is known.
	start uint64
}

func (s *store) of(kind storage) *collection {
	found := s.kinds[kind]
	if found == nil {
		if s.kinds == nil {
			s.kinds = make(map[storage]*collection)
		}
		found = &collection{}
		s.kinds[kind] = found
	}
	return found
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// search returns where an object is, or would be.
func (c *collection) search(key types.NamespacedName) (int, bool) {
	return slices.BinarySearchFunc(c.objects, key, func(o *object, key types.NamespacedName) int {
		return compareNames(o.NamespacedName, key)
	})
}

// get returns an object, nil if there is none.
func (s *store) get(kind storage, key types.NamespacedName) *object {
	c := s.kinds[kind]
	if c == nil {
		return nil
	}
	if i, ok := c.search(key); ok {
		return c.objects[i]
	}
	return nil
}

// put gives an object, new if before is nil, another state, and returns it. One that is
// being deleted goes with its last finalizer. The caller holds c.mu.
func (c *Cluster) put(r *resource, before *object, next *state, now time.Time) *object {
	c.revision++
	after := &object{state: next, revision: c.revision, created: now.Unix()}
	if before != nil {
		after.number, after.created, after.deleted = before.number, before.created, before.deleted
	} else {
		c.numbers++
		after.number = c.numbers
	}
	if after.deleted != 0 && !next.finalizers && r.storage() != namespaces && r.storage() != definitions {
		return c.end(r.storage(), before, after)
	}
	return c.replace(r.storage(), before, after)
}

// replace puts an object in its place. The caller holds c.mu.
func (c *Cluster) replace(kind storage, before, after *object) *object {
	objects := c.of(kind)
	i, found := objects.search(after.NamespacedName)
	happened := change{storage: kind, after: after}
	if found {
		objects.objects[i] = after
		happened.before = before.state
	} else {
		objects.objects = slices.Insert(objects.objects, i, after)
	}
	c.happened(happened)
	return after
}

// remove ends an object. The caller holds c.mu.
func (c *Cluster) remove(kind storage, before *object) {
	c.revision++
	last := *before
	last.revision = c.revision
	c.end(kind, before, &last)
}

func (c *Cluster) end(kind storage, before, last *object) *object {
	objects := c.of(kind)
	if i, found := objects.search(before.NamespacedName); found {
		objects.objects = slices.Delete(objects.objects, i, i+1)
	}
	c.happened(change{storage: kind, before: before.state, after: last, isEnd: true})
	return last
}

// happened notes a change and wakes who watches.
func (c *Cluster) happened(what change) {
	l := &c.log
	if history := c.fleet.options.History; len(l.changes) >= 2*history {
		l.start = l.changes[len(l.changes)-history-1].after.revision
		l.changes = append([]change(nil), l.changes[len(l.changes)-history:]...)
	}
	l.changes = append(l.changes, what)
	for w := range c.watchers {
		if w.storage == what.storage {
			w.poke()
		}
	}
}

// since returns the changes behind a revision. It reports whether all of them are known.
func (l *history) since(revision uint64) ([]change, bool) {
	if revision < l.start {
		return nil, false
	}
	i, _ := slices.BinarySearchFunc(l.changes, revision+1, func(c change, revision uint64) int {
		return cmp.Compare(c.after.revision, revision)
	})
	return l.changes[i:], true
}
