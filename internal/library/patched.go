package library

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
)

const (
	// maxPatchedPlans is how many patched plans are kept in memory that nobody has. One has only those
	// steps of its own in which an object is patched.
	maxPatchedPlans = 256

	// maxPatched and maxPatchedBytes bound the objects of a release that are patched.
	maxPatched      = 256
	maxPatchedBytes = 8 << 20
)

// patching makes patched plans. Patched objects are not on the disk: they are made when
// they are read.
type patching struct {
	settings *atomic.Pointer[Settings]
	plans    *plans[patchedKey, patchedPlan]
	// mu has the objects of one Cluster at a time decoded.
	mu sync.Mutex
}

// patchedKey is the plan that is patched, and the digest of the changes.
type patchedKey struct {
	plan    *plan.Plan
	changes string
}

// patchedPlan is what belongs to a plan with patched objects.
type patchedPlan struct {
	changes patch.Changes
	// before are the objects as they are on the disk, by what they are in the plan.
	before map[identified]plan.Object
}

// identified identifies an object with its bytes.
type identified struct {
	ref manifest.Ref
	sha string
}

func identify(object plan.Object) identified { return identified{object.Ref, object.SHA256} }

// OpenPatched returns an opened release with what the patches of a set change for a
// Cluster. The objects that no patch selects, and all that was made of them, stay shared.
// A patch that selects nothing and is not optional is an error, as is one that cannot be
// applied.
func (l *Library) OpenPatched(opened *Bundle, changes patch.Changes) (*Bundle, error) {
	if len(changes) == 0 {
		return opened, nil
	}
	patched := *opened
	patched.Content = changes.Over(opened.Content)
	objects := changes.OfObjects()
	if len(objects) == 0 {
		return &patched, nil
	}
	of, made, err := l.patching.planOf(opened, objects)
	if err != nil {
		return nil, err
	}
	patched.Plan = of
	patched.patched = func(object plan.Object) ([]byte, bool, error) { return l.patching.read(opened, made, object) }
	return &patched, nil
}

// planOf returns the patched plan of a release.
func (p *patching) planOf(opened *Bundle, changes patch.Changes) (*plan.Plan, patchedPlan, error) {
	key := patchedKey{opened.Plan, changes.Digest()}
	p.mu.Lock()
	defer p.mu.Unlock()
	if of, known, ok := p.plans.get(key); ok {
		return of, known, nil
	}
	of, made, err := p.make(opened, changes)
	if err != nil {
		return nil, patchedPlan{}, err
	}
	p.plans.add(key, of, made)
	return of, made, nil
}

func (p *patching) make(opened *Bundle, changes patch.Changes) (*plan.Plan, patchedPlan, error) {
	targets, err := targetsOf(opened.Plan, changes)
	if err != nil {
		return nil, patchedPlan{}, err
	}
	made := patchedPlan{changes: changes, before: make(map[identified]plan.Object, len(targets))}
	entries := make(map[identified]manifest.Entry, len(targets))
	for _, object := range targets {
		entry, _, err := p.apply(opened, changes, object)
		if err != nil {
			return nil, patchedPlan{}, err
		}
		entries[identify(object)] = entry
		made.before[identified{object.Ref, entry.SHA256}] = object
	}
	of := opened.Plan.Replace(func(object plan.Object) (manifest.Entry, bool) {
		entry, ok := entries[identify(object)]
		return entry, ok
	})
	return of, made, nil
}

// apply returns an object of a release as it is patched.
func (p *patching) apply(opened *Bundle, changes patch.Changes, object plan.Object) (manifest.Entry, []byte, error) {
	body, err := opened.JSON(object)
	if err != nil {
		return manifest.Entry{}, nil, err
	}
	return changes.For(selectedBy(object)).Object(object.Entry, body, p.settings.Load().Limits)
}

// read returns the bytes of an object of a patched plan; false for one that is not
// patched.
func (p *patching) read(opened *Bundle, made patchedPlan, object plan.Object) ([]byte, bool, error) {
	before, ok := made.before[identify(object)]
	if !ok {
		return nil, false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, body, err := p.apply(opened, made.changes, before)
	if err == nil && entry.SHA256 != object.SHA256 {
		err = fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("%s: it is patched to something else than before", object.Ref))
	}
	return body, true, err
}

// targetsOf returns the objects of a plan that changes select, each once.
func targetsOf(of *plan.Plan, changes patch.Changes) ([]plan.Object, error) {
	var targets []plan.Object
	var bytes int64
	known, used := make(map[identified]bool), make(map[string]bool)
	for _, variant := range of.Variants() {
		for object := range variant.All {
			those := changes.For(selectedBy(*object))
			if len(those) == 0 || known[identify(*object)] {
				continue
			}
			those.NoteNames(used)
			known[identify(*object)] = true
			targets, bytes = append(targets, *object), bytes+object.Length
			if len(targets) > maxPatched || bytes > maxPatchedBytes {
				return nil, fault.Stallf(v1alpha1.LimitExceededReason,
					"the patches select more than %d objects, or %d bytes of them", maxPatched, maxPatchedBytes)
			}
		}
	}
	return targets, unused(changes, used)
}

// unused returns the error of a change that is not optional and not among those that
// were used, by their names.
func unused(changes patch.Changes, used map[string]bool) error {
	at := slices.IndexFunc(changes, func(change patch.Change) bool { return !change.Optional && !used[change.Name] })
	if at < 0 {
		return nil
	}
	return fault.Stallf(v1alpha1.PatchMatchesNothingReason,
		"patch %s: the release has no %s: correct its selector, or set optional", changes[at].Name, changes[at].What())
}

// selectedBy returns what a selector is compared with.
func selectedBy(object plan.Object) manifest.Ref {
	ref := object.Ref
	if !object.Known && ref.Namespace == "" {
		ref.Namespace = object.DefaultNamespace
	}
	return ref
}
