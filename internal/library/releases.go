package library

import (
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// maxPlans is how many plans are kept in memory that nobody has. One that is dropped is
// made again from the indices on disk.
const maxPlans = 64

// releases makes Bundles of resolved releases and keeps their plans in memory.
type releases struct {
	parts    *indexing
	editions *editions
	store    *store.Store
	settings *atomic.Pointer[Settings]

	plans *plans[digest.Digest, cachedPlan] // by resolved.planKey
	// expressions are kept by their fingerprint and not with the plans: the
	// digest of a release does not cover them.
	expressions *lru.Cache
}

func newReleases(cfg Config, settings *atomic.Pointer[Settings], parts *indexing, editions *editions) *releases {
	return &releases{
		parts: parts, editions: editions, store: cfg.Store, settings: settings,
		plans: newPlans[digest.Digest, cachedPlan](maxPlans), expressions: lru.New(maxPlans),
	}
}

// open returns the Bundle of a resolved release, or the errors of the parts that
// are not indexed yet.
func (o *releases) open(
	owner types.NamespacedName, r resolved, expressions [][]*readiness.Expression,
) (*Bundle, error) {
	made, cached, err := o.cachedPlan(owner, r)
	if err != nil {
		return nil, err
	}
	return &Bundle{
		Digest: r.digest(), Content: r.digest(), Plan: made, Bytes: cached.bytes, ReadyWhen: expressions,
		VerifiedBy: r.signers(), Artifacts: r.artifacts(), Warnings: joinWarnings(r.warnings(), cached.warnings),
		Findings: cached.warnings, Problem: r.problem,
		store: o.store, parts: r.byID(), editions: cached.editions, owner: owner, resolved: r,
	}, nil
}

// compiled returns the compiled expressions of the phases of a release.
func (o *releases) compiled(phases []v1alpha1.Phase) ([][]*readiness.Expression, error) {
	written := make([][]v1alpha1.ReadyWhen, len(phases))
	for i, phase := range phases {
		written[i] = phase.ReadyWhen
	}
	key, err := fingerprintOf(written)
	if err != nil {
		return nil, err
	}
	if known, ok := o.expressions.Get(key); ok {
		return known.([][]*readiness.Expression), nil
	}
	expressions, err := compile(phases)
	if err != nil {
		return nil, err
	}
	o.expressions.Add(key, expressions)
	return expressions, nil
}

// compile compiles the expressions of each phase.
func compile(phases []v1alpha1.Phase) ([][]*readiness.Expression, error) {
	compiled := make([][]*readiness.Expression, len(phases))
	var errs []error
	for i, phase := range phases {
		for _, when := range phase.ReadyWhen {
			expression, err := readiness.Compile(when)
			errs = append(errs, fault.Wrap("phase "+phase.Name, err))
			compiled[i] = append(compiled[i], expression)
		}
	}
	return compiled, fault.Join(errs...)
}

// cachedPlan is what belongs to the plan of a release: the bytes of its sources and what
// indexing them found, shared by all who open it.
type cachedPlan struct {
	bytes    int64
	warnings []string
	editions []digest.Digest
}

// cachedPlan returns the plan of a resolved release: from memory, or made from
// the indices on disk.
func (o *releases) cachedPlan(owner types.NamespacedName, r resolved) (*plan.Plan, cachedPlan, error) {
	key := r.planKey()
	if made, known, ok := o.plans.get(key); ok && o.onDisk(owner, r, known) {
		return made, known, nil
	}
	o.plans.remove(key)
	found, err := o.indices(owner, r)
	if err != nil {
		return nil, cachedPlan{}, err
	}
	made, err := plan.New(found.inputs, o.settings.Load().Limits)
	if err != nil {
		return nil, cachedPlan{}, err
	}
	cached := cachedPlan{bytes: o.fetchedBytes(r), warnings: found.warnings, editions: found.edited}
	o.plans.add(key, made, cached)
	return made, cached, nil
}

// onDisk reports whether every part of the release, and every edition of its plan, is
// still in the store. What is there stays there while the owner names it.
func (o *releases) onDisk(owner types.NamespacedName, r resolved, cached cachedPlan) bool {
	for _, part := range r.byID() {
		if !o.parts.indexed(part) {
			return false
		}
		o.store.Name(owner, part.Digest)
	}
	for _, d := range cached.editions {
		if !o.parts.isDerived(editedIndexKind, d) {
			return false
		}
		o.store.Name(owner, d)
	}
	return true
}

// fetchedBytes returns how many bytes the sources of a release are as they are stored.
func (o *releases) fetchedBytes(r resolved) int64 {
	var bytes int64
	for part := range r.all() {
		size, _ := o.store.Has(part.Digest)
		bytes += size
	}
	return bytes
}
