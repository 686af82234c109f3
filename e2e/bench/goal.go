package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// part is what a time is taken of.
type part int

const (
	// definitions are Established.
	definitionPart part = iota
	// operator: Deployments and other workloads.
	operatorPart
	otherPart
)

// goal is what is to be seen in a cluster after a step.
type goal struct {
	mu      sync.Mutex
	pending map[string]expectation
	parts   map[part]bool
	last    map[part]time.Time
	err     error
	// established is closed when all definitions are, complete when nothing is pending.
	established, complete chan struct{}
}

// expectation is of one object.
type expectation struct {
	part part
	met  func(state) bool
}

func newGoal(pending map[string]expectation) *goal {
	g := &goal{
		pending: pending, parts: map[part]bool{}, last: map[part]time.Time{},
		established: make(chan struct{}), complete: make(chan struct{}),
	}
	for _, want := range pending {
		g.parts[want.part] = true
	}
	g.closeWhatIsDone()
	return g
}

// note sees an object. Only the first time that it is as expected counts.
func (g *goal) note(key string, s state, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	want, ok := g.pending[key]
	if !ok || !want.met(s) {
		return
	}
	delete(g.pending, key)
	if now.After(g.last[want.part]) {
		g.last[want.part] = now
	}
	g.closeWhatIsDone()
}

func (g *goal) closeWhatIsDone() {
	definitions := 0
	for _, want := range g.pending {
		if want.part == definitionPart {
			definitions++
		}
	}
	if definitions == 0 {
		closeOnce(g.established)
	}
	if len(g.pending) == 0 {
		closeOnce(g.complete)
	}
}

func closeOnce(c chan struct{}) {
	select {
	case <-c:
	default:
		close(c)
	}
}

// fail ends the waiting.
func (g *goal) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
	closeOnce(g.established)
	closeOnce(g.complete)
}

// missing describes what is not there yet.
func (g *goal) missing() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil || len(g.pending) == 0 {
		return g.err
	}
	keys := slices.Sorted(maps.Keys(g.pending))
	return fmt.Errorf("%d objects are not as they should be, %s first", len(keys), keys[0])
}

// has reports whether the goal has anything of the part, or had.
func (g *goal) has(p part) bool { return g.parts[p] }

// at returns when the operator and when everything was complete: 0 for what there was nothing of.
func (g *goal) at(begin time.Time) (operator, all time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for p, last := range g.last {
		took := max(0, last.Sub(begin))
		if p == operatorPart {
			operator = took
		}
		all = max(all, took)
	}
	return operator, all
}

func keyOf(kind schema.GroupKind, namespace, name string) string {
	return kind.String() + " " + namespace + "/" + name
}
