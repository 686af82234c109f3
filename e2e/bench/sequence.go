package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Times within which things must happen.
const (
	stepTimeout   = 6 * time.Minute
	settleTimeout = 20 * time.Second
)

// sequence is what one way does on one fresh workload cluster.
type sequence struct {
	way   Way
	mode  mode
	round int
	// first is installed without being measured, if it is not nil: the steps are upgrades.
	first   *loaded
	release *loaded
	steps   []StepKind
	// descriptions of CRDs are left out by this provider with Strip.
	descriptions v1alpha1.CRDDescriptions
	// label of the way in tables, which is the way's name but for variants.
	label string
}

// loaded is a release with its objects.
type loaded struct {
	*Release

	objects []*Object
	// compact is the size of all objects as compact JSON.
	compact int64
}

func load(r *Release) (*loaded, error) {
	objects, err := r.Objects()
	if err != nil {
		return nil, err
	}
	l := &loaded{Release: r, objects: objects}
	for _, o := range objects {
		l.compact += int64(len(o.Compact))
	}
	return l, nil
}

// do runs the sequence on a cluster of its own, which is gone afterwards.
func (q sequence) do(ctx context.Context, dir string) (_ samples, err error) {
	st, err := q.start(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer st.stop()
	session, err := q.way.Attach(ctx, st.target)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", q.label, err)
	}
	defer func() { err = errors.Join(err, q.close(ctx, session)) }()
	if q.first != nil {
		cannot, err := q.measure(ctx, st, session, Install, q.first)
		if err != nil || cannot.cannot != "" {
			cannot.step = Upgrade
			return samples{cannot}, err
		}
	}
	var all samples
	for _, step := range q.steps {
		s, err := q.measure(ctx, st, session, step, q.release)
		if err != nil {
			return nil, fmt.Errorf("%s: %s of %s (%s): %w", q.label, step, q.release.Name(), q.mode, err)
		}
		all = append(all, s)
		if s.cannot != "" && step == Install {
			break // Nothing follows.
		}
	}
	return all, nil
}

func (q sequence) close(ctx context.Context, s Session) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return s.Close(ctx)
}

// measure has the session do a step, and takes its figures.
func (q sequence) measure(ctx context.Context, st *stage, session Session, kind StepKind, r *loaded) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	s := sample{way: q.label, release: r.Name(), step: kind, mode: q.mode, round: q.round}
	if err := st.settle(ctx); err != nil {
		return s, err
	}
	run, err := session.Ready(ctx, Step{Kind: kind, Release: r.Release})
	if cannot := (*Cannot)(nil); errors.As(err, &cannot) {
		s.cannot = cannot.Why
		return s, nil
	}
	if err != nil {
		return s, err
	}
	a, err := q.aim(st, kind, r)
	if err != nil {
		return s, err
	}
	err = a.watch(ctx, st, run, &s)
	if cannot := (*Cannot)(nil); errors.As(err, &cannot) {
		s.cannot = cannot.Why
		return s, nil
	}
	if err == nil && kind == Install && q.mode == counted {
		s.stored, err = storedBy(ctx, session)
	}
	return s, err
}
