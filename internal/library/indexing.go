package library

import (
	"context"
	"errors"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// indexing fetches parts and indexes them, each once.
type indexing struct {
	store    *store.Store
	maxBytes int64
	limits   manifest.Limits
	archives archive.Limits
	slots    *semaphore.Weighted
	jobs     *jobs[source.Part, struct{}]
}

func newIndexing(
	ctx context.Context, cfg Config, slots *semaphore.Weighted, notify func(types.NamespacedName),
) *indexing {
	x := &indexing{
		store: cfg.Store, maxBytes: cfg.MaxBytes, limits: cfg.Limits, archives: cfg.Archives, slots: slots,
	}
	x.jobs = newJobs(ctx, jobsConfig[source.Part, struct{}]{
		work:   func(ctx context.Context, part source.Part) (struct{}, error) { return struct{}{}, x.fetch(ctx, part) },
		notify: notify, clock: cfg.Clock,
	})
	return x
}

// index returns the index of a part, or starts what it takes to have one.
func (x *indexing) index(owner types.NamespacedName, part source.Part) (manifest.Index, error) {
	if index, err := x.readIndex(part); err == nil {
		return index, nil
	}
	key, err := fingerprintOf([]any{part.ID(), part.Origin})
	if err != nil {
		return manifest.Index{}, err
	}
	known := x.jobs.ensure(owner, key, part)
	return manifest.Index{}, known.pending(x.jobs.clock.Now(), part.From)
}

// invalidate has the parts of sources in a namespace that depend on an object
// fetched again, if that failed or is under way.
func (x *indexing) invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	x.jobs.invalidate(
		func(part source.Part) bool { return part.Origin.Namespace == namespace && depends(part.Origin.Source) },
		func(source.Part) bool { return false },
	)
}

// fetch brings a part onto the disk, verified and indexed. The digest stays
// locked until then: the same bytes may be published at several places, and are
// still downloaded and indexed once, unless the first place fails. No slot is
// held while another job works on the digest.
func (x *indexing) fetch(ctx context.Context, part source.Part) error {
	lock, err := x.store.LockDigest(ctx, part.Digest)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	defer x.store.Pin(part.Digest)()
	if err := x.slots.Acquire(ctx, 1); err != nil {
		return err
	}
	defer x.slots.Release(1)
	if _, err := x.readIndex(part); err == nil {
		return nil
	}
	if _, ok := x.store.Has(part.Digest); !ok {
		if err := x.download(ctx, lock, part); err != nil {
			return err
		}
	}
	return x.derive(part)
}

// download stores the bytes of a part under its digest. Its errors name where the
// bytes come from, as those of Fetch do themselves.
func (x *indexing) download(ctx context.Context, lock *store.Lock, part source.Part) error {
	var refused error
	open := func(ctx context.Context, have store.Partial) (body store.Body, err error) {
		body, refused = part.Fetch(ctx, have)
		return body, refused
	}
	_, err := lock.Resume(ctx, open, x.maxBytes)
	if refused != nil && errors.Is(err, refused) {
		return err
	}
	return fault.Wrap(part.From, err)
}
