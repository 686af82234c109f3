package main

import (
	"context"
	"errors"
	"time"
)

// attempt is a step with what is to be seen of it.
type attempt struct {
	goal *goal
	// objects of the release: what they define is to be served.
	objects []*Object
	damage  *damage
	// unchanged are the paths of what an upgrade does not have to write.
	unchanged map[string]bool
}

// aim says what is to be seen.
func (q sequence) aim(st *stage, kind StepKind, r *loaded) (attempt, error) {
	a := attempt{objects: r.objects}
	pending := map[string]expectation{}
	switch kind {
	case Install:
		pending = installed(r.objects)
	case Upgrade:
		pending = upgraded(q.first.objects, q.delivered(kind, r.objects), st.observer.stateOf)
		a.unchanged = unchangedPaths(q.first.objects, r.objects)
	case Repair:
		d, err := newDamage(r.objects)
		if err != nil {
			return a, err
		}
		a.damage, pending = &d, d.repaired(st.observer.stateOf)
	case Again:
	}
	a.goal = st.observer.aim(newGoal(pending))
	return a, nil
}

// watch runs the step and takes the times.
func (a attempt) watch(ctx context.Context, st *stage, run Run, s *sample) error {
	if st.proxy != nil {
		st.proxy.Reset()
	}
	server, etcd, err := st.cpu()
	if err != nil {
		return err
	}
	if a.damage != nil {
		if err := a.damage.do(ctx, st.workload.Client); err != nil {
			return err
		}
	}
	begin := time.Now()
	behind := make(chan error, 1)
	go func() { behind <- a.awaitServed(ctx, st, s, begin) }()
	if s.client, err = run(ctx, a.goal.complete); err != nil {
		return errors.Join(err, a.goal.missing())
	}
	s.done = time.Since(begin)
	if err := closedOrDone(ctx, a.goal.complete); err != nil {
		return errors.Join(err, a.goal.missing())
	}
	if err := errors.Join(<-behind, a.goal.missing()); err != nil {
		return err
	}
	s.operator, s.applied = a.goal.at(begin)
	// A watch of a kind that is new takes a moment to begin: who is done earlier has applied all.
	s.applied = min(max(s.applied, s.served), s.done)
	serverAfter, etcdAfter, err := st.cpu()
	s.server, s.etcd = serverAfter-server, etcdAfter-etcd
	s.traffic = st.traffic(a.unchanged)
	return err
}

// awaitServed reads discovery once the CRDs are Established, and lets the observer see
// what is of their kinds.
func (a attempt) awaitServed(ctx context.Context, st *stage, s *sample, begin time.Time) error {
	if !a.goal.has(definitionPart) {
		return nil
	}
	if err := closedOrDone(ctx, a.goal.established); err != nil {
		return err
	}
	if err := awaitServed(ctx, st.observer.discovery, served(a.objects)); err != nil {
		return err
	}
	if s.step == Install { // Otherwise they were served before.
		s.served = time.Since(begin)
	}
	st.observer.watchDefined(a.objects)
	return nil
}
