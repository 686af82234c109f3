package library

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const (
	// parallelFetches is how many sources are fetched or indexed at once.
	parallelFetches = 8

	// maxPlans is how many plans are kept in memory. One that falls out is made
	// again from the indices on disk.
	maxPlans = 64
)

// Config is what a Library works with.
type Config struct {
	// Store keeps the sources on disk.
	Store *store.Store
	// Sources resolves sources to the parts that they stand for.
	Sources resolver
	// Interval after which a source that can change is resolved again.
	Interval time.Duration
	// MaxBytes bounds the sources of one release together, unpacked.
	MaxBytes int64
	// Limits bounds the objects, Archives what is packed.
	Limits   manifest.Limits
	Archives archive.Limits
	// Clock tells when to try again.
	Clock clock.Clock
}

// resolver resolves sources to parts.
type resolver interface {
	// Static returns the part of a source that names its digest itself. It is
	// false for a source that must be resolved.
	Static(src v1alpha1.Source) (source.Part, bool)
	// Resolve returns the parts that a source stands for now.
	Resolve(ctx context.Context, query source.Query) ([]source.Part, error)
	// Describe returns where a source is, in full but without secrets.
	Describe(src v1alpha1.Source) string
}

// Library holds the releases that were asked for. It is safe for concurrent use.
type Library struct {
	Config

	ctx   context.Context //nolint:containedctx // the lifetime of the fetches
	slots *semaphore.Weighted
	plans *lru.Cache
	// expressions are kept by what was written, apart from the plans: they are
	// not content.
	expressions *lru.Cache

	mu     sync.Mutex
	jobs   map[[sha256.Size]byte]*job
	notify []func(types.NamespacedName)
}

// NewLibrary returns a Library whose fetches end when ctx is done.
func NewLibrary(ctx context.Context, cfg Config) *Library {
	return &Library{
		Config:      cfg,
		ctx:         ctx,
		slots:       semaphore.NewWeighted(parallelFetches),
		plans:       lru.New(maxPlans),
		expressions: lru.New(maxPlans),
		jobs:        make(map[[sha256.Size]byte]*job),
	}
}

// Subscribe has notify called with the name of a Bundle whenever a source that
// was opened on its behalf is there or has failed. It is called before the
// first Open, and notify must not block for long.
func (l *Library) Subscribe(notify func(bundle types.NamespacedName)) {
	l.notify = append(l.notify, notify)
}

// Digest returns the digest of a release of the named Bundle, for a workload
// cluster of the given Kubernetes version. A release with sources that can
// change is a fault.Wait until they are resolved.
func (l *Library) Digest(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (v1alpha1.Digest, error) {
	resolved, err := l.resolve(owner, r, kubernetes)
	if err != nil {
		return "", err
	}
	return resolved.digest(), nil
}

// Open returns a release of the named Bundle, for a workload cluster of the
// given Kubernetes version. What is not on disk yet is being fetched when it
// returns, all sources side by side, and the error is a fault.Wait until
// then. A source that failed is tried again when its time has come; until then
// Open returns its error, with the time that is left.
func (l *Library) Open(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (*Bundle, error) {
	expressions, err := l.compiled(r.Phases)
	if err != nil {
		return nil, err
	}
	resolved, err := l.resolve(owner, r, kubernetes)
	if err != nil {
		return nil, err
	}
	opened, err := l.planned(owner, resolved)
	if err != nil {
		return nil, err
	}
	return &Bundle{
		Digest: resolved.digest(), Plan: opened.plan, Bytes: opened.bytes, ReadyWhen: expressions,
		VerifiedBy: resolved.signers(), Problem: resolved.problem, store: l.Store, parts: resolved.byID(),
	}, nil
}

// compiled returns the compiled expressions of the phases of a release.
func (l *Library) compiled(phases []v1alpha1.Phase) ([][]*readiness.Expression, error) {
	written := make([][]v1alpha1.ReadyWhen, len(phases))
	for i, phase := range phases {
		written[i] = phase.ReadyWhen
	}
	key, err := fingerprint(written)
	if err != nil {
		return nil, err
	}
	if known, ok := l.expressions.Get(key); ok {
		return known.([][]*readiness.Expression), nil
	}
	expressions, err := compile(phases)
	if err != nil {
		return nil, err
	}
	l.expressions.Add(key, expressions)
	return expressions, nil
}

// planned is the plan of a release, shared by all who open it.
type planned struct {
	plan  *plan.Plan
	bytes int64
}

// planned returns the plan of a resolved release: from memory, or from the
// indices on disk.
func (l *Library) planned(owner types.NamespacedName, r resolved) (planned, error) {
	key := r.digest()
	if known, ok := l.plans.Get(key); ok && l.onDisk(r) {
		return known.(planned), nil
	}
	l.plans.Remove(key)
	inputs, err := l.indices(owner, r)
	if err != nil {
		return planned{}, err
	}
	made, err := l.assemble(r, inputs)
	if err != nil {
		return planned{}, err
	}
	l.plans.Add(key, made)
	return made, nil
}

// onDisk tells whether every part of the release is still in the store.
func (l *Library) onDisk(r resolved) bool {
	for part := range r.all() {
		if !l.indexed(part) {
			return false
		}
	}
	return true
}

// indices returns the index of every part of the release, phase by phase, or
// the errors of those that are not there.
func (l *Library) indices(owner types.NamespacedName, r resolved) ([]plan.Input, error) {
	inputs := make([]plan.Input, len(r.phases))
	var errs []error
	for i, phase := range r.phases {
		inputs[i].Name = phase.name
		for _, part := range phase.parts {
			index, err := l.index(owner, part)
			errs = append(errs, fault.Wrap("phase "+phase.name, err))
			inputs[i].Blobs = append(inputs[i].Blobs, plan.Blob{Digest: part.ID(), Entries: index.Entries})
		}
	}
	return inputs, fault.Join(errs...)
}

// assemble plans a release whose parts are all indexed.
func (l *Library) assemble(r resolved, inputs []plan.Input) (planned, error) {
	made, err := plan.New(inputs, l.Limits)
	if err != nil {
		return planned{}, err
	}
	var bytes int64
	for part := range r.all() {
		size, _ := l.Store.Has(part.Digest)
		bytes += size
	}
	if bytes > l.MaxBytes {
		return planned{}, fault.Stallf(v1alpha1.LimitExceededReason,
			"the sources of the release are %d bytes together, the limit is %d", bytes, l.MaxBytes)
	}
	return planned{plan: made, bytes: bytes}, nil
}

// index returns the index of a part, or starts what it takes to have one.
func (l *Library) index(owner types.NamespacedName, part source.Part) (manifest.Index, error) {
	if index, err := l.readIndex(part); err == nil {
		return index, nil
	}
	key, err := fingerprint([]string{"part", part.ID(), part.From})
	if err != nil {
		return manifest.Index{}, err
	}
	known := l.ensure(owner, key, nil, func() ([]source.Part, error) { return nil, l.fetch(part) })
	return manifest.Index{}, known.state(l.Clock.Now(), part.From)
}

// ensure returns how far the job with the key is, after starting it unless it is
// under way or not due.
func (l *Library) ensure(
	owner types.NamespacedName, key [sha256.Size]byte, query *source.Query, work func() ([]source.Part, error),
) job {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Clock.Now()
	l.prune(now)
	known, ok := l.jobs[key]
	if !ok {
		known = &job{owners: make(map[types.NamespacedName]bool), query: query}
		l.jobs[key] = known
	}
	known.owners[owner] = true
	if !known.running && !now.Before(known.dueAt) {
		known.running = true
		go l.run(known, key, work)
	}
	return *known
}

// run does a job and, if there is news, tells those who asked for it. A fetch
// that is done is forgotten: the disk remembers.
func (l *Library) run(j *job, key [sha256.Size]byte, work func() ([]source.Part, error)) {
	parts, err := work()
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	news := j.query == nil || err != nil || j.err != nil || !sameParts(parts, j.parts)
	j.done(l.Clock.Now(), err, l.Interval)
	if err == nil {
		j.parts = parts
	}
	if err == nil && j.query == nil {
		delete(l.jobs, key)
	}
	owners := j.sortedOwners()
	l.mu.Unlock()
	if !news {
		return
	}
	for _, owner := range owners {
		for _, notify := range l.notify {
			notify(owner)
		}
	}
}

// prune forgets failures that nobody asked about for a while. What sources stand
// for is kept for long: whoever asks again is not to wait for it.
func (l *Library) prune(now time.Time) {
	for key, known := range l.jobs {
		keep := forgetAfter
		if known.parts != nil {
			keep = forgetPartsAfter
		}
		if !known.running && now.Sub(known.dueAt) > keep {
			delete(l.jobs, key)
		}
	}
}

// fingerprint is the identity of a source or a part as it is written.
func fingerprint(v any) ([sha256.Size]byte, error) {
	written, err := json.Marshal(v)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("fingerprint: %w", err)
	}
	return sha256.Sum256(written), nil
}
