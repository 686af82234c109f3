package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
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

// stage is a workload cluster with all that a sequence needs of it.
type stage struct {
	workload *testenv.Workload
	observer *observer
	proxy    *testenv.Proxy
	link     *link
	target   *Target
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

// start starts the cluster and what is between it and the client.
func (q sequence) start(ctx context.Context, dir string) (_ *stage, err error) {
	st := &stage{}
	defer func() {
		if err != nil {
			st.stop()
		}
	}()
	if st.workload, err = testenv.StartWorkload(ctx, testenv.WorkloadOptions{}); err != nil {
		return nil, err
	}
	objects := q.release.objects
	if q.first != nil {
		objects = slices.Concat(q.first.objects, objects)
	}
	if st.observer, err = startObserver(st.workload.Config, st.workload.Client, objects); err != nil {
		return nil, err
	}
	if err := st.connect(q.mode); err != nil {
		return nil, err
	}
	name := fmt.Sprintf("target-%d", time.Now().UnixNano())
	st.target.Name, st.target.Kubeconfig = name, filepath.Join(dir, name)
	st.target.Workload, st.target.descriptions = st.workload, q.descriptions
	return st, os.WriteFile(st.target.Kubeconfig, st.target.Through.Kubeconfig(), 0o600)
}

// connect makes the way to the API server.
func (st *stage) connect(m mode) (err error) {
	st.target = &Target{Through: st.workload, Config: rest.CopyConfig(st.workload.Config)}
	switch m {
	case counted:
		if st.proxy, err = testenv.StartProxy(st.workload.APIServer); err != nil {
			return err
		}
		st.target.Through, st.target.Config, st.target.Quiet = st.proxy, st.proxy.Config, st.quiet
	case slow:
		if st.link, err = startLink(st.workload.Config, st.workload.Kubeconfig()); err != nil {
			return err
		}
		st.target.Through, st.target.Config = st.link, st.link.config
	case timed:
	}
	return nil
}

// stop stops all that was started, the last first.
func (st *stage) stop() {
	if st.observer != nil {
		st.observer.stop()
	}
	if st.link != nil {
		st.link.stop()
	}
	if st.proxy != nil {
		st.proxy.Stop()
	}
	if st.workload != nil {
		st.workload.Stop()
	}
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
	a, err := q.aim(ctx, st, kind, r)
	if err != nil {
		return s, err
	}
	return s, a.watch(ctx, st, run, &s)
}

// attempt is a step with what is to be seen of it.
type attempt struct {
	goal *goal
	// served are the kinds to be served behind it.
	objects []*Object
	damage  *damage
}

// aim says what is to be seen.
func (q sequence) aim(_ context.Context, st *stage, kind StepKind, r *loaded) (attempt, error) {
	a := attempt{objects: r.objects}
	pending := map[string]expectation{}
	switch kind {
	case Install:
		pending = installed(r.objects)
	case Upgrade:
		pending = upgraded(q.first.objects, r.objects, st.observer.stateOf)
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
	s.applied = max(s.applied, s.served)
	serverAfter, etcdAfter, err := st.cpu()
	s.server, s.etcd = serverAfter-server, etcdAfter-etcd
	s.traffic = st.traffic()
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
	s.served = time.Since(begin)
	st.observer.watchDefined(a.objects)
	return nil
}

// cpu of the API server and its etcd.
func (st *stage) cpu() (server, etcd time.Duration, err error) {
	of, err := measure.Of(st.workload.PID())
	if err != nil {
		return 0, 0, err
	}
	beside, err := measure.Of(st.workload.EtcdPID())
	return of.CPU, beside.CPU, err
}

// traffic since the proxy was reset.
func (st *stage) traffic() traffic {
	if st.proxy == nil {
		return traffic{}
	}
	var t traffic
	for _, r := range st.proxy.Requests() {
		t.requests++
		if r.IsWrite() {
			t.writes++
		}
		if r.Status >= 400 {
			t.refused++
		}
	}
	t.sent, t.received = st.proxy.Wire()
	return t
}
