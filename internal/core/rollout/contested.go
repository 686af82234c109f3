package rollout

import (
	"fmt"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/drift"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

const (
	// maxRepairs is how often an object is repaired in repairWindow. Who changes it
	// more often than that is not fought.
	maxRepairs   = 3
	repairWindow = 10 * time.Minute
)

// repairs counts how often an object was repaired.
type repairs struct {
	since time.Time
	count int
}

// noteRepairs counts those of the objects that this pass applied.
func (p *pass) noteRepairs(objects []*plan.Object) {
	for _, object := range objects {
		if p.applied[object] {
			p.repaired = append(p.repaired, object.Ref.String())
			p.repairsOf(object).count++
		}
	}
}

// repairsOf returns the repairs of an object in the window that is open.
func (p *pass) repairsOf(object *plan.Object) *repairs {
	if p.Memory.repairs == nil {
		p.Memory.repairs = make(map[*plan.Object]*repairs)
	}
	known := p.Memory.repairs[object]
	if known == nil || p.Now().Sub(known.since) >= repairWindow {
		known = &repairs{since: p.Now()}
		p.Memory.repairs[object] = known
	}
	return known
}

// leaveContested has those of the objects not applied again that somebody keeps
// changing back.
func (p *pass) leaveContested(objects []*plan.Object) {
	for _, object := range objects {
		known := p.Memory.repairs[object]
		f := p.found[object]
		if known == nil || p.isCurrent(object) || f.err != nil || p.repairsOf(object).count < maxRepairs {
			continue
		}
		f.err = fault.Stall(v1alpha1.ContestedReason, contested(object, f, p.Parent.FieldManager()))
		p.found[object] = f
	}
}

// contested says who keeps changing an object back.
func contested(object *plan.Object, f found, us string) error {
	const advice = "keep it from doing so, or take the object out of the bundle: it is repaired again in ten minutes"
	if f.live == nil {
		return fmt.Errorf("%s is deleted again and again: find out who does, and %s", object.Ref, advice)
	}
	by := "a webhook or a controller"
	if manager := drift.Culprit(f.live, us); manager != "" {
		by = fmt.Sprintf("%q", manager)
	}
	return fmt.Errorf("%s is changed back again and again by %s: %s", object.Ref, by, advice)
}
