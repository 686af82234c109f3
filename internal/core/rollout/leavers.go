package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// finalizerPatience is how long an object may be in deletion before its finalizer
	// is reported.
	finalizerPatience = time.Minute

	// leaverRetry is when to look again at objects that are being deleted, in case
	// a watch failed, stuckRetry when one of them is reported: every kind is listed
	// then, and it may be for ever.
	leaverRetry = 10 * time.Second
	stuckRetry  = 2 * time.Minute
)

// leavers removes members of the inventory that are not to be kept.
type leavers struct {
	sender
	cluster Remover
	reader  Reader
	parent  inventory.Parent
	living  inventory.Living
	policy  v1alpha1.CRDPolicy
	now     time.Time
	// keep reports whether an object stays.
	keep func(kind schema.GroupKind, namespace, name string) bool
	// reason of the error while something is being removed.
	reason string
	// done are the kinds of which nothing is left that is to be removed.
	done map[schema.GroupKind]bool
}

// leaver is an object that is to be removed, or to be let go to the set that
// shares it.
type leaver struct {
	resource manifest.Resource
	ref      manifest.Ref
	live     Identity
	letGo    bool
	// stuck is what keeps an object that has been in deletion for too long; empty
	// for others.
	stuck string
	// deleted is true for an object that is being deleted.
	deleted bool
}

// stayed is what is left of the kinds of an inventory.
type stayed struct {
	// kinds are those that have members, sorted, in the form of KEP-3659.
	kinds []string
	// left is how many members are still to be removed.
	left int
	// targets are what to watch until they are gone.
	targets []Target
}

// remove removes the members of a record that are not kept, as far as it can now:
// step by step, the first step of an installation last, and each when that before
// it is gone. A kind whose members must stay by the policy stays.
func (l leavers) remove(ctx context.Context, record inventory.Record) (stayed, error) {
	found, kinds, err := l.find(ctx, record)
	if err != nil {
		return stayed{}, err
	}
	if err := l.letGoHeld(ctx, found); err != nil {
		return stayed{}, err
	}
	result := stayed{kinds: kinds, left: len(found)}
	for _, step := range plan.Removal() {
		those := slices.DeleteFunc(slices.Clone(found), func(o leaver) bool { return plan.StepOf(o.ref.GroupKind()) != step })
		if len(those) == 0 {
			continue
		}
		left, err := l.removeAll(ctx, those)
		result.left -= len(those) - len(left)
		if err == nil {
			err = l.waitFor(left)
		}
		if err != nil {
			result.targets = l.targetsOf(left)
			return result, err
		}
	}
	return result, nil
}

// find returns the members that are to be removed, and the kinds of those that stay.
func (l leavers) find(ctx context.Context, record inventory.Record) ([]leaver, []string, error) {
	kinds := slices.DeleteFunc(kindsOf(union(record.GroupKinds, record.Shared)), func(kind schema.GroupKind) bool {
		return l.done[kind]
	})
	resources, err := l.cluster.Preferred(ctx, kinds)
	if err != nil {
		return nil, nil, err
	}
	var mu sync.Mutex
	var found []leaver
	staying := make(map[schema.GroupKind]bool)
	lists := sender{slice: ctx, guard: l.guard} // half of them are worth nothing
	err = lists.forEach(ctx, len(kinds), func(ctx context.Context, n int) error {
		kind := kinds[n]
		resource, served := resources[kind]
		if !served {
			return nil
		}
		return l.reader.List(ctx, resource, "", l.labelFor(kind, record), func(live *metav1.PartialObjectMetadata) {
			mu.Lock()
			defer mu.Unlock()
			switch o := l.leaverOf(kind, resource, live); {
			case o != nil:
				found = append(found, *o)
			case l.parent.IsMember(live):
				staying[kind] = true
			}
		})
	})
	slices.SortFunc(found, func(a, b leaver) int { return a.ref.Compare(b.ref) })
	if err == nil {
		l.noteDone(kinds, found)
	}
	return found, textOf(staying), err
}

// noteDone notes those of the kinds of which nothing was found.
func (l leavers) noteDone(kinds []schema.GroupKind, found []leaver) {
	if l.done == nil {
		return
	}
	for _, kind := range kinds {
		l.done[kind] = !slices.ContainsFunc(found, func(o leaver) bool { return o.ref.GroupKind() == kind })
	}
}

// labelFor selects what may have to be removed of a kind. Those who share an object
// have no label on it.
func (l leavers) labelFor(kind schema.GroupKind, record inventory.Record) string {
	if slices.Contains(record.Shared, textOfKind(kind)) {
		return ""
	}
	return labelOf(l.parent)
}

// leaverOf returns what is to be done to remove a live object; nil if it stays or
// is not the set's.
func (l leavers) leaverOf(
	kind schema.GroupKind, resource manifest.Resource, live *metav1.PartialObjectMetadata,
) *leaver {
	if l.keep(kind, live.Namespace, live.Name) {
		return nil
	}
	o := &leaver{
		resource: resource, live: identityOf(live), deleted: live.DeletionTimestamp != nil,
		ref: manifest.Ref{
			Group: kind.Group, Version: resource.Version, Kind: kind.Kind, Namespace: live.Namespace, Name: live.Name,
		},
	}
	isMember := l.parent.IsMember(live)
	switch {
	case l.parent.Shares(live), isMember && l.parent.IsSharedWith(live, l.living):
		o.letGo = true
	case !isMember, l.mustStay(kind, live.Name), inventory.IsToBeKept(live):
		return nil
	}
	o.stuck = l.stuckBy(o.ref, live)
	return o
}

// mustStay reports whether an object stays though the bundle no longer has it.
func (l leavers) mustStay(kind schema.GroupKind, name string) bool {
	return inventory.HoldsOthers(kind) && l.policy != v1alpha1.DeleteCRDPolicy || inventory.IsImmortal(kind, name)
}

// stuckBy says which finalizer keeps an object that is being deleted, and who should
// have removed it.
func (l leavers) stuckBy(ref manifest.Ref, live *metav1.PartialObjectMetadata) string {
	if live.DeletionTimestamp == nil || len(live.Finalizers) == 0 || l.now.Sub(live.DeletionTimestamp.Time) < finalizerPatience {
		return ""
	}
	finalizer := live.Finalizers[0]
	by := "whoever set it"
	if manager := inventory.FinalizerManager(live, finalizer); manager != "" {
		by = fmt.Sprintf("%q, which set it,", manager)
	}
	return fmt.Sprintf("%s is being deleted, and its finalizer %s stays: %s should remove it", ref, finalizer, by)
}

// removeAll removes the objects of one step, and returns those that are still there.
func (l leavers) removeAll(ctx context.Context, those []leaver) ([]leaver, error) {
	gone := make([]bool, len(those))
	err := l.forEachWrite(ctx, len(those), func(ctx context.Context, n int) (err error) {
		gone[n], err = l.removeOne(ctx, those[n])
		return err
	})
	var left []leaver
	for n, o := range those {
		if !gone[n] {
			left = append(left, o)
		}
	}
	return left, err
}

// removeOne removes one object, and reports whether it is gone.
func (l leavers) removeOne(ctx context.Context, o leaver) (gone bool, err error) {
	if o.deleted {
		return false, nil
	}
	if err := l.allowed(); err != nil {
		return false, err
	}
	if o.letGo {
		return true, l.cluster.LetGo(ctx, o.resource, o.ref, o.live, l.parent.FieldManager())
	}
	return l.cluster.Delete(ctx, o.resource, o.ref, o.live)
}

// waitFor returns the error while objects are being deleted; nil for none.
func (l leavers) waitFor(left []leaver) error {
	if len(left) == 0 {
		return nil
	}
	var stuck, all []string
	for _, o := range left {
		all = append(all, o.ref.String())
		if o.stuck != "" {
			stuck = append(stuck, o.stuck)
		}
	}
	if len(stuck) > 0 {
		return fault.Wait(v1alpha1.FinalizerReason, stuckRetry, errors.New(text.List(stuck, maxNamed, "; ")))
	}
	return fault.Wait(l.reason, leaverRetry, fmt.Errorf("being removed: %s", text.List(all, maxNamed, ", ")))
}

// targetsOf returns what to watch until the objects are gone.
func (l leavers) targetsOf(left []leaver) []Target {
	var targets []Target
	for _, o := range left {
		target := Target{Resource: o.resource, Label: labelOf(l.parent), Content: true}
		if !slices.Contains(targets, target) {
			targets = append(targets, target)
		}
	}
	return targets
}

// kindsOf returns the kinds of texts in the form of KEP-3659.
func kindsOf(texts []string) []schema.GroupKind {
	kinds := make([]schema.GroupKind, len(texts))
	for i, t := range texts {
		kinds[i] = schema.ParseGroupKind(t)
	}
	return kinds
}

// textOf returns kinds in the form of KEP-3659, sorted.
func textOf(kinds map[schema.GroupKind]bool) []string {
	var all []string
	for kind := range kinds {
		all = append(all, textOfKind(kind))
	}
	slices.Sort(all)
	return all
}

func textOfKind(kind schema.GroupKind) string {
	return strings.TrimSuffix(kind.Kind+"."+kind.Group, ".")
}

// labelOf selects the members of a parent.
func labelOf(parent inventory.Parent) string { return inventory.PartOfLabel + "=" + parent.ID() }
