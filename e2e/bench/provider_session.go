package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/measure"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// providerSession is one Cluster and its set.
type providerSession struct {
	*provider

	target  *Target
	cluster *clusterv1.Cluster
	set     *v1alpha1.ClusterBundleSet
}

// Close lets the Cluster go, and waits until nothing is left of it.
func (s *providerSession) Close(ctx context.Context) error {
	if s.set != nil {
		if err := client.IgnoreNotFound(s.management.Client.Delete(ctx, s.set)); err != nil {
			return err
		}
	}
	if err := client.IgnoreNotFound(s.management.Client.Delete(ctx, s.cluster)); err != nil {
		return err
	}
	return s.awaitGone(ctx)
}

// Ready creates the set before an installation; the others need nothing.
func (s *providerSession) Ready(ctx context.Context, step Step) (Run, error) {
	act, settled := s.upgrade, s.isDelivered(step.Release)
	switch step.Kind {
	case Upgrade:
	case Install:
		if err := s.createSet(ctx, step.Release); err != nil {
			return nil, err
		}
		act = s.label
	case Again:
		return s.againRun()
	case Repair:
		act, settled = nothing, nil // It has a watch, which wakes it.
	}
	return s.timed(act, step.Release, settled)
}

// timed returns a Run that acts, and waits until the ClusterBundle is as it should be.
func (s *providerSession) timed(
	act func(context.Context, *Release) error, r *Release, settled func(client.Object) error,
) (Run, error) {
	if err := measure.ResetPeak(s.manager.PID()); err != nil {
		return nil, err
	}
	before, err := s.usage()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, complete <-chan struct{}) (measure.Usage, error) {
		if err := act(ctx, r); err != nil {
			return measure.Usage{}, err
		}
		if settled != nil {
			if err := s.await(ctx, &v1alpha1.ClusterBundleList{}, "", settled); err != nil {
				return measure.Usage{}, err
			}
		}
		if err := closedOrDone(ctx, complete); err != nil {
			return measure.Usage{}, err
		}
		after, err := s.usage()
		after.CPU -= before.CPU
		return after, err
	}, nil
}

func nothing(context.Context, *Release) error { return nil }

func closedOrDone(ctx context.Context, complete <-chan struct{}) error {
	select {
	case <-complete:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// againRun starts the manager anew. What it finds out is seen by the requests that it makes
// only, so this is for rounds that count.
func (s *providerSession) againRun() (Run, error) {
	if s.target.Quiet == nil {
		return nil, &Cannot{"not timed: the manager that is started anew does nothing here that can be seen"}
	}
	s.manager.Stop()
	return func(ctx context.Context, _ <-chan struct{}) (measure.Usage, error) {
		var err error
		if s.manager, err = testenv.StartManager(ctx, s.options); err != nil {
			return measure.Usage{}, err
		}
		if err := s.target.Quiet(ctx); err != nil {
			return measure.Usage{}, err
		}
		return s.usage()
	}, nil
}

func (s *providerSession) createSet(ctx context.Context, r *Release) error {
	s.set = newSet(s.target.Name, r, s.target.descriptions)
	if err := s.management.Client.Create(ctx, s.set); err != nil {
		return err
	}
	return s.await(ctx, &v1alpha1.ClusterBundleSetList{}, s.set.Name, hasSeen)
}

func (s *providerSession) label(ctx context.Context, _ *Release) error {
	before := s.cluster.DeepCopy()
	s.cluster.Labels = map[string]string{selectedLabel: s.target.Name}
	return s.management.Client.Patch(ctx, s.cluster, client.MergeFrom(before))
}

func (s *providerSession) upgrade(ctx context.Context, r *Release) error {
	if err := s.management.Client.Get(ctx, client.ObjectKeyFromObject(s.set), s.set); err != nil {
		return err
	}
	before := s.set.DeepCopy()
	s.set.Spec.Bundle.Version = r.Version
	return s.management.Client.Patch(ctx, s.set, client.MergeFrom(before))
}

// isDelivered is nil for the ClusterBundle of this Cluster once it is Ready with the release.
func (s *providerSession) isDelivered(r *Release) func(client.Object) error {
	return func(o client.Object) error {
		cb := o.(*v1alpha1.ClusterBundle)
		if cb.Spec.ClusterName != s.target.Name {
			return errors.New("the Cluster has no ClusterBundle yet")
		}
		if cb.Spec.Version != r.Version || cb.Status.ObservedGeneration != cb.Generation {
			return fmt.Errorf("the ClusterBundle has version %s", cb.Spec.Version)
		}
		return isReady(cb.Status.Conditions)
	}
}

func isReady(conditions []metav1.Condition) error {
	ready := meta.FindStatusCondition(conditions, v1alpha1.ReadyCondition)
	if ready == nil {
		return errors.New("it has no status yet")
	}
	if ready.Status != metav1.ConditionTrue {
		return fmt.Errorf("%s: %s", ready.Reason, ready.Message)
	}
	return nil
}

// await watches objects of the management cluster until one of that name, or any if it is
// empty, passes the check.
func (p *provider) await(
	ctx context.Context, list client.ObjectList, name string, check func(client.Object) error,
) error {
	last := errors.New("is not there")
	w, err := p.management.Client.Watch(ctx, list, client.InNamespace(managementNamespace))
	if err != nil {
		return err
	}
	defer w.Stop()
	for {
		select {
		case event, open := <-w.ResultChan():
			object, ok := event.Object.(client.Object)
			if !open || !ok {
				return fmt.Errorf("a watch of the management cluster ended: %w", errors.Join(last, apierrors.FromObject(event.Object)))
			}
			if event.Type == watch.Deleted || name != "" && object.GetName() != name {
				continue
			}
			if last = check(object); last == nil {
				return nil
			}
		case <-ctx.Done():
			return fmt.Errorf("%s %s: %w: %w", fmt.Sprintf("%T", list), name, ctx.Err(), errors.Join(last, p.manager.Ended()))
		}
	}
}

// goneInterval is how often the end of a ClusterBundle is looked for, outside of timing.
const goneInterval = 100 * time.Millisecond

// awaitGone waits until no ClusterBundle is left of the Cluster.
func (s *providerSession) awaitGone(ctx context.Context) error {
	tick := time.NewTicker(goneInterval)
	defer tick.Stop()
	for {
		all := &v1alpha1.ClusterBundleList{}
		if err := s.management.Client.List(ctx, all, client.InNamespace(managementNamespace)); err != nil {
			return err
		}
		if len(all.Items) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("ClusterBundle %s is not gone: %w", all.Items[0].Name, ctx.Err())
		}
	}
}
