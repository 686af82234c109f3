package library

import (
	"context"
	"errors"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// indexing fetches parts and indexes them, each once.
type indexing struct {
	store    *store.Store
	settings *atomic.Pointer[Settings]
	children *child.Runner
	// downloads and builds are taken one after the other: what is indexed waits for
	// no server.
	downloads, builds *slots.Slots
	// memory is for the documents that are decoded: one of the largest, or many small ones.
	memory *semaphore.Weighted
	jobs   *jobs[source.Part, struct{}]
}

func newIndexing(
	ctx context.Context, cfg Config, settings *atomic.Pointer[Settings], notify func(types.NamespacedName),
) *indexing {
	x := &indexing{
		store: cfg.Store, settings: settings, children: cfg.Children,
		downloads: cfg.Concurrency.Downloading.slots(), builds: cfg.Concurrency.Indexing.slots(),
		memory: semaphore.NewWeighted(cfg.Limits.Memory()),
	}
	x.jobs = newJobs(ctx, jobsConfig[source.Part, struct{}]{
		work:   func(ctx context.Context, part source.Part) (struct{}, error) { return struct{}{}, x.fetch(ctx, part) },
		notify: notify, clock: cfg.Clock,
	})
	return x
}

// index returns the index of a part, or starts what it takes to have one.
func (x *indexing) index(owner types.NamespacedName, part source.Part) (partIndex, error) {
	if index, err := x.readIndex(part); err == nil {
		x.store.Name(owner, part.Digest)
		return index, nil
	}
	key, err := fingerprintOf([]any{part.ID(), part.Origin})
	if err != nil {
		return partIndex{}, err
	}
	known := x.jobs.ensure(owner, key, part)
	return partIndex{}, known.pending(x.jobs.clock.Now(), part.From)
}

// invalidate has the parts of sources in a namespace that depend on an object
// fetched again, if that failed or is under way.
func (x *indexing) invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	x.jobs.invalidate(
		func(part source.Part) bool { return part.Origin.Namespace == namespace && depends(part.Origin.Source) },
		func(source.Part) bool { return false },
	)
}

// fetch brings a part onto the disk, verified and indexed.
func (x *indexing) fetch(ctx context.Context, part source.Part) error {
	ctx = store.WithNamespace(ctx, part.Origin.Namespace)
	defer x.store.Pin(part.Digest)()
	if _, ok := x.store.Has(part.Digest); !ok {
		if err := x.download(ctx, part); err != nil {
			return err
		}
	}
	return x.build(ctx, part)
}

// download stores the bytes of a part under its digest. Its errors name where the
// bytes come from, as those of Fetch do themselves. Who waits for another who downloads
// the same has a slot: a lock that is held while a slot is waited for would have the
// queue of one namespace hold up another.
func (x *indexing) download(ctx context.Context, part source.Part) error {
	release, err := x.downloads.Acquire(ctx, part.Origin.Namespace)
	if err != nil {
		return err
	}
	defer release()
	var refused error
	open := func(ctx context.Context, have store.Partial) (body store.Body, err error) {
		body, refused = part.Fetch(ctx, have)
		return body, refused
	}
	_, err = x.store.Resume(ctx, part.Digest, part.Place, open, x.settings.Load().MaxBytes)
	if refused != nil && errors.Is(err, refused) {
		return err
	}
	return fault.Wrap(part.From, err)
}

// build indexes a part that is on the disk, unless another did so in the meantime. Its
// slot is taken before the lock, as that of download.
func (x *indexing) build(ctx context.Context, part source.Part) error {
	release, err := x.builds.Acquire(ctx, part.Origin.Namespace)
	if err != nil {
		return err
	}
	defer release()
	lock, err := x.store.LockDigest(ctx, part.Digest, part.Origin.Namespace)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if _, err := x.readIndex(part); err == nil {
		return nil
	}
	return x.derive(ctx, part)
}
