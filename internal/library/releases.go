package library

import (
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// maxPlans is how many plans are kept in memory. One that is dropped is made
// again from the indices on disk.
const maxPlans = 64

// releases makes Bundles of resolved releases and keeps their plans in memory.
type releases struct {
	parts    *indexing
	store    *store.Store
	limits   manifest.Limits
	maxBytes int64

	plans *lru.Cache // by resolved.planKey
	// expressions are kept by their fingerprint and not with the plans: the
	// digest of a release does not cover them.
	expressions *lru.Cache
}

func newReleases(cfg Config, parts *indexing) *releases {
	return &releases{
		parts: parts, store: cfg.Store, limits: cfg.Limits, maxBytes: cfg.MaxBytes,
		plans: lru.New(maxPlans), expressions: lru.New(maxPlans),
	}
}

// open returns the Bundle of a resolved release, or the errors of the parts that
// are not indexed yet.
func (o *releases) open(
	owner types.NamespacedName, r resolved, expressions [][]*readiness.Expression,
) (*Bundle, error) {
	cached, err := o.cachedPlan(owner, r)
	if err != nil {
		return nil, err
	}
	return &Bundle{
		Digest: r.digest(), Plan: cached.plan, Bytes: cached.bytes, ReadyWhen: expressions,
		VerifiedBy: r.signers(), Artifacts: r.artifacts(), Warnings: joinWarnings(r.warnings(), cached.warnings),
		Findings: cached.warnings, Problem: r.problem, store: o.store, parts: r.byID(), owner: owner, resolved: r,
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

// cachedPlan is the plan of a release, the bytes of its sources and what indexing
// them found, shared by all who open it.
type cachedPlan struct {
	plan     *plan.Plan
	bytes    int64
	warnings []string
}

// cachedPlan returns the plan of a resolved release: from memory, or made from
// the indices on disk.
func (o *releases) cachedPlan(owner types.NamespacedName, r resolved) (cachedPlan, error) {
	key := r.planKey()
	if known, ok := o.plans.Get(key); ok && o.onDisk(owner, r) {
		return known.(cachedPlan), nil
	}
	o.plans.Remove(key)
	found, err := o.indices(owner, r)
	if err != nil {
		return cachedPlan{}, err
	}
	made, err := plan.New(found.inputs, o.limits)
	if err != nil {
		return cachedPlan{}, err
	}
	cached := cachedPlan{plan: made, bytes: o.fetchedBytes(r), warnings: found.warnings}
	o.plans.Add(key, cached)
	return cached, nil
}

// onDisk reports whether every part of the release is still in the store. What is there
// stays there while the owner names it.
func (o *releases) onDisk(owner types.NamespacedName, r resolved) bool {
	for _, part := range r.byID() {
		if !o.parts.indexed(part) {
			return false
		}
		o.store.Name(owner, part.Digest)
	}
	return true
}

// indices returns the index of every part of the release, phase by phase, or the errors
// of the parts without one.
func (o *releases) indices(owner types.NamespacedName, r resolved) (*loading, error) {
	l := &loading{releases: o, owner: owner, known: map[string]partIndex{}, inputs: make([]plan.Input, len(r.phases))}
	var errs []error
	for i, phase := range r.phases {
		l.inputs[i].Name = phase.name
		for _, part := range phase.parts {
			index, err := l.index(part)
			if err := l.overLimit(); err != nil {
				return nil, err
			}
			errs = append(errs, fault.Wrap("phase "+phase.name, err))
			l.inputs[i].Blobs = append(l.inputs[i].Blobs, plan.Blob{
				Digest: part.ID(), Namespace: phase.namespaceOf(part), Entries: index.Entries, GivesWay: part.GivesWay,
			})
		}
	}
	return l, fault.Join(errs...)
}

// loading is a release whose indices are being read: each once, and no more of them than
// the limits of a release have room for.
type loading struct {
	*releases

	owner    types.NamespacedName
	known    map[string]partIndex // by Part.ID
	inputs   []plan.Input
	warnings []string

	objects         int
	unpacked, names int64
}

// index returns the index of a part.
func (l *loading) index(part source.Part) (partIndex, error) {
	index, ok := l.known[part.ID()]
	if !ok {
		var err error
		if index, err = l.parts.index(l.owner, part); err != nil {
			return partIndex{}, err
		}
		l.known[part.ID()] = index
		l.warnings = append(l.warnings, index.Warnings...)
		l.unpacked += index.Unpacked
		l.names += index.names()
	}
	l.objects += len(index.Entries)
	return index, nil
}

// overLimit returns an error if what was read is over a limit.
func (l *loading) overLimit() error {
	switch {
	case l.objects > l.limits.Objects:
		return fault.Stallf(v1alpha1.LimitExceededReason, "the release has more than %d objects", l.limits.Objects)
	case l.unpacked > l.maxBytes:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"the sources of the release have more than %d bytes together, unpacked", l.maxBytes)
	case l.names > maxNames:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"the release has more than %d bytes of names of images and versions", maxNames)
	}
	return nil
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
