package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

const (
	// Discovery has no watch and lags behind the CustomResourceDefinitions, which have
	// one: of each a server writes the status twice, one after the other. When the watch
	// sees no more for settleTime all are established, and discovery is read. If it does
	// not list all of them it is read again when the watch was quiet for longer.
	settleTime = 50 * time.Millisecond
	maxSettle  = 4 * settleTime

	// It is also read firstPoll and eachPoll for each of them after they were applied,
	// and then with twice the delay each time, whatever the watch sees: there may be none.
	firstPoll = 500 * time.Millisecond
	eachPoll  = 50 * time.Millisecond
	minPoll   = 500 * time.Millisecond
	maxPoll   = 2 * time.Second

	// smallPoll is in place of minPoll once what is not served is of one group version:
	// its document is small, and often the server is about to list it.
	smallPoll = 100 * time.Millisecond

	// CustomResourceDefinitions that are not served after this time are read, at most
	// maxDiagnosed of them, to find out why. Before it, that would cost more than
	// waiting: a server may take ten seconds under load.
	diagnoseAfter = 15 * time.Second
	maxDiagnosed  = 3
)

// poll is what is known of the CustomResourceDefinitions of a step.
type poll struct {
	// open is true when they were served: they stay so.
	open bool
	// closed are those that are not served, as far as is known.
	closed []plan.Object
	// delay before the last poll, and when the next one is due.
	delay time.Duration
	due   time.Time
	// stirred is true while the watch may have seen something since the last poll, settle
	// is for how long it has to see nothing before the next one.
	stirred bool
	settle  time.Duration
}

// begin sets the time of the first poll for definitions that were just applied.
func (p *poll) begin(now time.Time, applied []plan.Object) {
	p.closed, p.delay = applied, 0
	p.stirred, p.settle = false, settleTime
	p.due = now.Add(firstPoll + time.Duration(len(applied))*eachPoll)
}

// next sets the time of the poll after one at which some were not served.
func (p *poll) next(now time.Time, closed []plan.Object) {
	least := minPoll
	if len(groupVersions(closed)) == 1 {
		least = smallPoll
		if len(groupVersions(p.closed)) > 1 {
			p.delay = 0
		}
	}
	p.closed, p.delay = closed, min(max(least, 2*p.delay), maxPoll)
	p.stirred, p.settle = false, min(max(settleTime, 2*p.settle), maxSettle)
	p.due = now.Add(p.delay)
}

// isDue reports whether discovery is to be read: at its time, or as soon as the watch is
// quiet after it was not.
func (p *poll) isDue(now time.Time, isQuiet bool) bool {
	if p.stirred && isQuiet {
		return true
	}
	p.stirred = !isQuiet
	return !now.Before(p.due)
}

// left returns how long to wait for the next poll, unless the watch is faster.
func (p *poll) left(now time.Time) time.Duration {
	if p.stirred {
		return min(p.settle, p.due.Sub(now))
	}
	return p.due.Sub(now)
}

// crdGate is open when every CustomResourceDefinition of the step is
// established and served with the names in its spec.
func (p *pass) crdGate(ctx context.Context, i int, objects []plan.Object) error {
	poll, now := p.Memory.pollOf(objects), p.Now()
	isNew := p.appliedAny(pointersTo(objects))
	if isNew {
		poll.begin(now, definitions(objects))
	}
	if poll.open {
		return nil
	}
	if poll.closed == nil {
		poll.closed = definitions(objects)
	}
	watched, err := p.watchMembers(ctx, pointersTo(poll.closed))
	if err != nil {
		return err
	}
	if isNew || !poll.isDue(now, !slices.ContainsFunc(watched, p.isNoisy)) {
		return p.crdsClosed(i, poll, len(objects), now)
	}
	closed, err := p.notServed(ctx, poll.closed)
	if err != nil {
		return err
	}
	poll.open = len(closed) == 0
	poll.next(now, closed)
	if poll.open {
		return nil
	}
	if now.Sub(p.record.Progress.Phases[i].Started) > diagnoseAfter {
		if err := p.diagnose(ctx, closed); err != nil {
			return err
		}
	}
	return p.crdsClosed(i, poll, len(objects), now)
}

// isNoisy reports whether a watch of the target may have seen something since the last
// pass began, or missed it.
func (p *pass) isNoisy(target Target) bool { return !p.IsQuiet(target) }

// crdsClosed returns the error of a gate that CustomResourceDefinitions keep closed. It is
// as of the time when the poll was not due, so that there is a time left to wait for:
// without one nobody would come back.
func (p *pass) crdsClosed(i int, poll *poll, all int, now time.Time) error {
	p.notReady[i] += len(poll.closed)
	return fault.Wait(v1alpha1.CRDsNotServedReason, poll.left(now), fmt.Errorf(
		"%d of %d CustomResourceDefinitions are not served yet: %s", len(poll.closed), all, names(poll.closed)))
}

// appliedAny reports whether this pass applied one of the objects.
func (p *pass) appliedAny(objects []*plan.Object) bool {
	return slices.ContainsFunc(objects, func(object *plan.Object) bool { return p.applied[object] })
}

// definitions returns those of the objects that are CustomResourceDefinitions.
func definitions(objects []plan.Object) []plan.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o plan.Object) bool { return o.CRD == nil })
}

// notServed returns those of the CustomResourceDefinitions that discovery does
// not list as their specs define them.
func (p *pass) notServed(ctx context.Context, crds []plan.Object) ([]plan.Object, error) {
	served, err := p.Cluster.Served(ctx, groupVersions(crds))
	if err != nil {
		return nil, err
	}
	byGroup := make(map[string]map[string][]metav1.APIResource)
	for gv, resources := range served {
		if byGroup[gv.Group] == nil {
			byGroup[gv.Group] = make(map[string][]metav1.APIResource)
		}
		byGroup[gv.Group][gv.Version] = resources
	}
	return slices.DeleteFunc(slices.Clone(crds), func(o plan.Object) bool {
		return readiness.CRDServed(*o.CRD, byGroup[o.CRD.Group]).Ready
	}), nil
}

// groupVersions returns those that the CustomResourceDefinitions define, sorted.
func groupVersions(crds []plan.Object) []metav1.GroupVersion {
	var all []metav1.GroupVersion
	for _, crd := range crds {
		for _, version := range crd.CRD.Served {
			all = append(all, metav1.GroupVersion{Group: crd.CRD.Group, Version: version})
		}
	}
	slices.SortFunc(all, func(a, b metav1.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(all)
}

// diagnose reads some of the CustomResourceDefinitions that are not served. It returns
// a fault.Stall if the conditions of one show that waiting does not help.
func (p *pass) diagnose(ctx context.Context, closed []plan.Object) error {
	return p.forEach(ctx, min(len(closed), maxDiagnosed), func(ctx context.Context, n int) error {
		resource, ref, err := p.mapper.locate(ctx, closed[n])
		if err != nil {
			return err
		}
		live, err := p.Cluster.Object(ctx, resource, ref)
		if err != nil || live == nil {
			return err
		}
		if found := readiness.Conditions(live); found.Stalled {
			return fault.Stall(found.Reason, errors.New(found.Message))
		}
		return nil
	})
}
