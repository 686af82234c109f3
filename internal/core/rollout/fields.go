package rollout

import (
	"strconv"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/drift"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

// compareFields compares the fields that the set holds of the objects with those
// that it held when they were applied: one that lost a field is applied again.
//
// After a restart nobody knows the latter. They are then those of the live objects
// of a kind, if these add up to what the parent records of the kind, or it records
// nothing yet; else all objects of the kind are applied again, which changes only
// those that are not right.
func (p *pass) compareFields(objects []*plan.Object) {
	trusted := make(map[string]bool)
	for _, object := range objects {
		f := p.found[object]
		if f.decision != inventory.Keep || f.live == nil || !isRepaired(object) {
			continue
		}
		known, isKnown := p.Memory.fields[object]
		kind := textOfKind(object.GroupKind())
		if _, decided := trusted[kind]; !isKnown && !decided {
			trusted[kind] = p.trusts(kind)
		}
		switch {
		case f.left, !isKnown && trusted[kind]:
			p.Memory.fields[object] = f.fields
		case !isKnown, known != f.fields:
			f.decision = decisionToRepair(f)
			p.found[object] = f
		}
	}
}

// decisionToRepair returns how an object that lost fields is applied again.
func decisionToRepair(f found) inventory.Decision {
	if f.ofSet {
		return inventory.Share
	}
	return inventory.Apply
}

// trusts reports whether the live objects of a kind are as they were applied, by
// what the parent records of the kind.
func (p *pass) trusts(kind string) bool {
	recorded, ok := p.saved.Fields[kind]
	if !ok {
		return true
	}
	total, _ := p.totalOf(kind, func(object *plan.Object) (drift.Sum, bool) {
		f := p.found[object]
		return f.fields, f.live != nil
	})
	return total == recorded
}

// recordFields records the fields that the set holds of all objects of each kind,
// once all phases are complete.
func (p *pass) recordFields() {
	if p.Once {
		return
	}
	var fields map[string]string
	for _, kind := range groupKinds(p.plan) {
		total, complete := p.totalOf(kind, func(object *plan.Object) (drift.Sum, bool) {
			sum, ok := p.Memory.fields[object]
			return sum, ok
		})
		if !complete {
			continue
		}
		if fields == nil {
			fields = make(map[string]string)
		}
		fields[kind] = total
	}
	p.record.Fields = fields
}

// totalOf adds up the fields of all objects of a kind that are repaired, and reports whether
// all of them are known.
func (p *pass) totalOf(kind string, sumOf func(*plan.Object) (drift.Sum, bool)) (total string, complete bool) {
	var all drift.Total
	complete = true
	for object := range p.plan.All {
		if textOfKind(object.GroupKind()) != kind || !isRepaired(object) {
			continue
		}
		sum, ok := sumOf(object)
		complete = complete && ok
		all.Add(object.Ref.String(), sum)
	}
	return strconv.FormatUint(all.Value(), 16), complete
}
