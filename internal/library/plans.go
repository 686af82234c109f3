package library

import (
	"maps"
	"sync"
	"weak"

	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// plans are plans by their key, each with what belongs to it: those that were used last,
// and all that somebody still has. What passes remember of a workload cluster is of one
// plan. If it were made again for the next pass, that would have to look at all again.
type plans[K comparable, V any] struct {
	last *lru.Cache // of *plan.Plan by K: these stay, whoever has them

	mu   sync.Mutex
	made map[K]madePlan[V]
}

// madePlan is a plan that is there as long as somebody has it.
type madePlan[V any] struct {
	plan weak.Pointer[plan.Plan]
	with V
}

func newPlans[K comparable, V any](size int) *plans[K, V] {
	return &plans[K, V]{last: lru.New(size), made: make(map[K]madePlan[V])}
}

// get returns a plan and what belongs to it, if it is still there.
func (p *plans[K, V]) get(key K) (of *plan.Plan, with V, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.made[key]
	if of = known.plan.Value(); of == nil {
		return nil, with, false
	}
	p.last.Add(key, of) // it is the one used last
	return of, known.with, true
}

// add adds a plan and what belongs to it, which must not lead to the plan.
func (p *plans[K, V]) add(key K, of *plan.Plan, with V) {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.made, func(_ K, m madePlan[V]) bool { return m.plan.Value() == nil })
	p.made[key] = madePlan[V]{weak.Make(of), with}
	p.last.Add(key, of)
}

// remove removes a plan: who has it keeps it, but nobody else gets it.
func (p *plans[K, V]) remove(key K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.made, key)
	p.last.Remove(key)
}

// clear removes all plans.
func (p *plans[K, V]) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.made)
	p.last.Clear()
}
