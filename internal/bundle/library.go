package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"k8s.io/utils/lru"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const (
	// parallelFetches is how many sources are fetched or indexed at once.
	parallelFetches = 8

	// maxBundles is how many planned bundles are kept in memory. One that falls
	// out is read from its indices on disk.
	maxBundles = 64
)

// opener opens the bytes of a source.
type opener interface {
	Open(ctx context.Context, src v1alpha1.Source) (io.ReadCloser, error)
}

// Config is what a Library works with.
type Config struct {
	// Store keeps the sources on disk.
	Store *store.Store
	// Sources opens them.
	Sources opener
	// MaxBytes bounds the sources of one release together, unpacked.
	MaxBytes int64
	// Limits bounds the objects.
	Limits manifest.Limits
	// Clock tells when to try again.
	Clock clock.Clock
}

// Library holds the releases that were asked for. It is safe for concurrent use.
type Library struct {
	Config

	ctx     context.Context //nolint:containedctx // the lifetime of the fetches
	slots   *semaphore.Weighted
	bundles *lru.Cache

	mu     sync.Mutex
	jobs   map[[sha256.Size]byte]*job
	turns  map[digest.Digest]*turn
	notify []func(types.NamespacedName)
}

// NewLibrary returns a Library whose fetches end when ctx is done.
func NewLibrary(ctx context.Context, cfg Config) *Library {
	return &Library{
		Config:  cfg,
		ctx:     ctx,
		slots:   semaphore.NewWeighted(parallelFetches),
		bundles: lru.New(maxBundles),
		jobs:    make(map[[sha256.Size]byte]*job),
		turns:   make(map[digest.Digest]*turn),
	}
}

// Subscribe has notify called with the name of a Bundle whenever a source that
// was opened on its behalf is there or has failed. It is called before the
// first Open, and notify must not block for long.
func (l *Library) Subscribe(notify func(bundle types.NamespacedName)) {
	l.notify = append(l.notify, notify)
}

// Open returns a release of the named Bundle. What is not on disk yet is being
// fetched when it returns, all sources side by side, and the error is a
// fault.Waiting until then. A source that failed is tried again when its time
// has come; until then Open returns its error, with the time that is left.
func (l *Library) Open(owner types.NamespacedName, r v1alpha1.Release) (*Bundle, error) {
	key, err := fingerprint(r)
	if err != nil {
		return nil, err
	}
	if known, ok := l.bundles.Get(key); ok && l.onDisk(r) {
		return known.(*Bundle), nil
	}
	l.bundles.Remove(key)
	expressions, err := compile(r.Phases)
	if err != nil {
		return nil, err
	}
	indices, err := l.indices(owner, r)
	if err != nil {
		return nil, err
	}
	opened, err := l.assemble(r, indices)
	if err != nil {
		return nil, err
	}
	opened.ReadyWhen = expressions
	l.bundles.Add(key, opened)
	return opened, nil
}

// onDisk tells whether every source of the release is still in the store.
func (l *Library) onDisk(r v1alpha1.Release) bool {
	for _, src := range sources(r) {
		if !l.indexed(digestOf(src)) {
			return false
		}
	}
	return true
}

// indices returns the index of every source of the release, phase by phase, or
// the errors of those that are not there.
func (l *Library) indices(owner types.NamespacedName, r v1alpha1.Release) ([]plan.Input, error) {
	inputs := make([]plan.Input, len(r.Phases))
	var errs []error
	for i, phase := range r.Phases {
		inputs[i].Name = phase.Name
		for _, src := range phase.Sources {
			index, err := l.index(owner, src)
			errs = append(errs, fault.Wrap("phase "+phase.Name, err))
			inputs[i].Blobs = append(inputs[i].Blobs, plan.Blob{
				Digest: string(digestOf(src)), Entries: index.Entries,
			})
		}
	}
	return inputs, fault.Join(errs...)
}

// assemble makes the Bundle of a release whose sources are all indexed.
func (l *Library) assemble(r v1alpha1.Release, inputs []plan.Input) (*Bundle, error) {
	planned, err := plan.New(inputs, l.Limits)
	if err != nil {
		return nil, err
	}
	opened := &Bundle{Digest: release.Digest(r), Plan: planned, store: l.Store}
	for _, src := range sources(r) {
		size, _ := l.Store.Has(digestOf(src))
		opened.Bytes += size
	}
	if opened.Bytes > l.MaxBytes {
		return nil, fault.Terminalf(v1alpha1.LimitExceededReason,
			"the sources of the release are %d bytes together, the limit is %d", opened.Bytes, l.MaxBytes)
	}
	return opened, nil
}

// index returns the index of a source, or starts what it takes to have one.
func (l *Library) index(owner types.NamespacedName, src v1alpha1.Source) (manifest.Index, error) {
	if index, err := l.readIndex(digestOf(src)); err == nil {
		return index, nil
	}
	return manifest.Index{}, l.ensure(owner, src)
}

// ensure starts a job for the source unless one is under way or failed lately.
// Its error is never nil.
func (l *Library) ensure(owner types.NamespacedName, src v1alpha1.Source) error {
	key, err := fingerprint(src)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.Clock.Now()
	l.prune(now)
	known, ok := l.jobs[key]
	if !ok {
		known = &job{owners: make(map[types.NamespacedName]bool)}
		l.jobs[key] = known
	}
	known.owners[owner] = true
	if known.running || now.Before(known.retryAt) {
		return known.state(now, src)
	}
	known.running = true
	go l.run(known, key, src)
	return known.state(now, src)
}

// run does a job and tells those who asked for it.
func (l *Library) run(j *job, key [sha256.Size]byte, src v1alpha1.Source) {
	err := l.fetch(src)
	if l.ctx.Err() != nil {
		return
	}
	l.mu.Lock()
	j.done(l.Clock.Now(), err)
	if err == nil {
		delete(l.jobs, key)
	}
	owners := j.takeOwners()
	l.mu.Unlock()
	for _, owner := range owners {
		for _, notify := range l.notify {
			notify(owner)
		}
	}
}

// prune forgets failures that nobody asked about for a while.
func (l *Library) prune(now time.Time) {
	for key, known := range l.jobs {
		if !known.running && now.Sub(known.retryAt) > forgetAfter {
			delete(l.jobs, key)
		}
	}
}

// fingerprint is the identity of a source or a release as it is written.
func fingerprint(v any) ([sha256.Size]byte, error) {
	written, err := json.Marshal(v)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("fingerprint: %w", err)
	}
	return sha256.Sum256(written), nil
}
