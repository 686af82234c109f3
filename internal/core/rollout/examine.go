package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/drift"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

var namespaces = manifest.Resource{Version: "v1", Plural: "namespaces"}

// found is what a pass knows of one object of the plan.
type found struct {
	decision inventory.Decision
	// owner is who owns the object, for messages; empty if nobody else does.
	owner string
	// ofSet is whether that is another living set.
	ofSet bool
	// left is whether the live object stays as it is since ours gives way to it.
	left bool
	// live is the object as it is, for a decision that needs it; nil if there is none.
	live *metav1.PartialObjectMetadata
	// resource is the path of a live object, fields are those that the set holds of it.
	resource manifest.Resource
	fields   drift.Sum
	// losses are what a change of the object would lose, anew is whether it is made
	// anew nevertheless.
	losses []string
	anew   bool
	// err is why the object could not be looked at. It is not applied then.
	err error
}

// wanted is an object of the plan with its path.
type wanted struct {
	object *plan.Object
	ref    manifest.Ref
}

// group is the objects of one kind.
type group struct {
	resource manifest.Resource
	objects  []wanted
}

// namespace returns the namespace that all objects of the group are in; empty if
// there are several.
func (g group) namespace() string {
	first := g.objects[0].ref.Namespace
	if slices.ContainsFunc(g.objects, func(w wanted) bool { return w.ref.Namespace != first }) {
		return ""
	}
	return first
}

// addTo returns the groups with one more object, in that of its resource.
func addTo(groups []group, resource manifest.Resource, w wanted) []group {
	n := slices.IndexFunc(groups, func(g group) bool { return g.resource == resource })
	if n < 0 {
		n, groups = len(groups), append(groups, group{resource: resource})
	}
	groups[n].objects = append(groups[n].objects, w)
	return groups
}

// examine finds out what is to be done with the objects, those that an earlier
// pass left as they should be excepted: one list for each kind, or one read where
// there is one object of a kind. It returns the collisions of all of them in one
// error, so that nothing of a phase with a collision is applied.
//
// An object that cannot exist is not looked for: one in a Namespace that does not,
// or of a kind whose CustomResourceDefinition did not.
//
// An object that cannot be looked at keeps only itself from being applied. What
// is applied before it may be what makes looking at it work: a Deployment behind
// the conversion webhook of the object's kind, or behind its API service.
func (p *pass) examine(ctx context.Context, objects []*plan.Object) error {
	err := p.lookAt(ctx, objects)
	p.compareFields(objects)
	// What was looked at before an error is known nevertheless.
	return cmp.Or(err, p.collisions(objects))
}

// lookAt looks at the objects that are not known to be as the release wants them.
func (p *pass) lookAt(ctx context.Context, objects []*plan.Object) error {
	groups, err := p.groups(ctx, objects)
	if err != nil {
		return err
	}
	outer, inner := split(groups)
	if err := p.lookAll(ctx, outer); err != nil {
		return err
	}
	if err := p.findLosses(ctx, objects); err != nil {
		return err
	}
	return p.lookAll(ctx, p.withoutAbsent(outer, inner))
}

// lookAll looks at the objects of all groups.
func (p *pass) lookAll(ctx context.Context, groups []group) error {
	return p.forEach(ctx, len(groups), func(ctx context.Context, n int) error {
		err := p.look(ctx, groups[n])
		if err != nil && !endsPass(err) {
			p.setErr(groups[n], err)
			return nil
		}
		return err
	})
}

// split returns the groups that other objects need to exist, Namespaces and
// CustomResourceDefinitions, and the others.
func split(groups []group) (outer, inner []group) {
	for _, g := range groups {
		if g.resource == namespaces || g.objects[0].object.CRD != nil {
			outer = append(outer, g)
		} else {
			inner = append(inner, g)
		}
	}
	return outer, inner
}

// withoutAbsent returns the inner groups without the objects that do not exist
// since what they need, among the outer groups, does not.
func (p *pass) withoutAbsent(outer, inner []group) []group {
	spaces, kinds := make(map[string]bool), make(map[schema.GroupKind]bool)
	for _, g := range outer {
		for _, w := range g.objects {
			switch f := p.found[w.object]; {
			case f.err != nil || f.live != nil:
			case w.object.CRD != nil:
				kinds[kindOf(w.object.CRD)] = true
			default:
				spaces[w.ref.Name] = true
			}
		}
	}
	var rest []group
	for _, g := range inner {
		g.objects = slices.DeleteFunc(g.objects, func(w wanted) bool {
			absent := spaces[w.ref.Namespace] || kinds[w.ref.GroupKind()]
			if absent {
				p.decide(g.resource, w, nil)
			}
			return absent
		})
		if len(g.objects) > 0 {
			rest = append(rest, g)
		}
	}
	return rest
}

// kindOf returns the kind that a CustomResourceDefinition defines.
func kindOf(crd *manifest.CRD) schema.GroupKind {
	return schema.GroupKind{Group: crd.Group, Kind: crd.Kind}
}

// groups returns the objects that are to be looked at, kind by kind. One whose
// kind is not served, or was not until now, does not exist.
func (p *pass) groups(ctx context.Context, objects []*plan.Object) ([]group, error) {
	var groups []group
	for _, object := range objects {
		if p.current[object] {
			continue
		}
		if p.isKnownAbsent(object) {
			p.set(object, found{decision: inventory.Apply})
			continue
		}
		resource, ref, err := p.mapper.locate(ctx, *object)
		switch {
		case errors.Is(err, errKindNotServed):
			p.set(object, found{decision: inventory.Apply})
			continue
		case endsPass(err):
			return nil, err
		case err != nil:
			p.set(object, found{err: err})
			continue
		}
		groups = addTo(groups, resource, wanted{object, ref})
	}
	return groups, nil
}

// isKnownAbsent reports whether an object does not exist by what is remembered.
func (p *pass) isKnownAbsent(object *plan.Object) bool {
	return !p.Memory.sent[object] && (p.Memory.absent[object] || p.Memory.created[object.GroupKind()])
}

// decide decides what is to be done with an object that is as live, nil if it
// does not exist.
func (p *pass) decide(resource manifest.Resource, w wanted, live *metav1.PartialObjectMetadata) {
	var view inventory.View
	var fields drift.Sum
	if live != nil {
		view = inventory.ViewOf(live, p.Parent, p.Living)
		fields = drift.SumOf(live, p.Parent.FieldManager())
	}
	if p.isFirst && view.Claim == inventory.Ours {
		p.noteLostParent()
	}
	f := found{
		decision: inventory.Decide(view, w.ref.GroupKind(), w.object.Sum(), p.Adoption),
		owner:    view.Owner, ofSet: view.Claim == inventory.OtherSet, live: live, resource: resource, fields: fields,
	}
	if giveWay(w.object, view, live) {
		f.decision, f.left = inventory.Keep, true
	}
	p.set(w.object, f)
	if live != nil {
		return
	}
	if p.isJobDone(w.object) {
		p.set(w.object, found{decision: inventory.Keep})
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.Memory.absent[w.object] = true
}

// noteLostParent notes that there was a parent before, of which nobody knows how far its
// release was: what left with it is still to be removed, of the kinds that are known.
func (p *pass) noteLostParent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.record.Progress.Prune = true
}

func (p *pass) set(object *plan.Object, f found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[object] = f
}

func (p *pass) setErr(g group, err error) {
	for _, w := range g.objects {
		p.set(w.object, found{err: err})
	}
}
