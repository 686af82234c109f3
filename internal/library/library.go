package library

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// ErrFetching is in the errors of Digest and Open while a source of the release
// is being resolved, fetched or indexed. They are of the class Wait with the
// reason Fetching, unless another source of the release has failed.
var ErrFetching = errors.New("is being fetched")

// Config configures a Library. All fields are required.
type Config struct {
	// Store keeps the sources on disk.
	Store *store.Store
	// Sources resolves sources to parts.
	Sources resolver
	// Interval after which a source that can change is resolved again.
	Interval time.Duration
	// Settings hold until Configure is called.
	Settings
	// Children builds kustomizations.
	Children *child.Runner
	// Clock tells when a job is due again.
	Clock clock.PassiveClock
}

// resolver resolves sources to parts.
type resolver interface {
	// Static returns the part of a source that names its digest itself. It is
	// false for a source that must be resolved.
	Static(query source.Query) (source.Part, bool)
	// Resolve returns the parts that a source has now.
	Resolve(ctx context.Context, query source.Query) ([]source.Part, error)
	// Describe returns where a source is, in full but without secrets.
	Describe(src v1alpha1.Source) string
	// Trust identifies whom the manager trusts to sign. What was resolved for others
	// has to be resolved again.
	Trust() string
}

// Library opens releases. It is safe for concurrent use.
type Library struct {
	subscribers *subscribers
	resolutions *resolutions
	clusters    *clusters
	releases    *releases
	settings    *atomic.Pointer[Settings]
	valued      *valued
	patching    *patching
}

// New returns a Library whose jobs end when ctx is done, or an error when a
// required field of cfg is missing.
func New(ctx context.Context, cfg Config) (*Library, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	subscribers, settings := &subscribers{}, &atomic.Pointer[Settings]{}
	settings.Store(&cfg.Settings)
	resolves := cfg.Concurrency.Resolving.slots()
	parts := newIndexing(ctx, cfg, settings, subscribers.notify)
	resolutions := newResolutions(ctx, cfg, newKinds(parts), resolves, subscribers.notify)
	clusters := newClusters(ctx, cfg, parts, resolves)
	return &Library{
		subscribers: subscribers,
		resolutions: resolutions,
		clusters:    clusters,
		valued:      newValued(ctx, cfg, resolutions, clusters),
		releases:    newReleases(cfg, settings, parts, newEditions(ctx, cfg, parts, subscribers.notify)),
		settings:    settings,
		patching:    &patching{settings: settings, plans: newPlans[patchedKey, patchedPlan](maxPatchedPlans)},
	}, nil
}

func (c Config) validate() error {
	switch {
	case c.Store == nil, c.Sources == nil, c.Children == nil, c.Clock == nil:
		return errors.New("library: Store, Sources, Children and Clock are required")
	case c.Interval <= 0:
		return errors.New("library: Interval must be positive")
	}
	return c.Settings.validate()
}

// Subscribe has notify called with the name of a Bundle whenever a source that
// was opened on its behalf is there or has failed. It must be called before the
// first Open, and notify must not block for long.
func (l *Library) Subscribe(notify func(bundle types.NamespacedName)) { l.subscribers.add(notify) }

// Open returns a release of the named Bundle, for a workload cluster of the
// given Kubernetes version. It never waits: it starts to fetch what is not on
// disk yet, all sources side by side, and until they are there the error wraps
// ErrFetching. A source that has failed is tried again when it is due; until
// then Open returns its error, with the time that is left.
func (l *Library) Open(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (*Bundle, error) {
	if err := checkSources(r); err != nil {
		return nil, err
	}
	expressions, err := l.releases.compiled(r.Phases)
	if err != nil {
		return nil, err
	}
	resolved, err := l.resolutions.resolve(owner, r, kubernetes)
	if err != nil {
		return nil, err
	}
	return l.releases.open(owner, resolved, expressions)
}

// maxSources bounds the sources of a release.
const maxSources = 256

// checkSources returns an error if a release has too many sources. The schema bounds
// them, too; this holds for those that were stored before it did.
func checkSources(r v1alpha1.Release) error {
	sources := 0
	for _, phase := range r.Phases {
		sources += len(phase.Sources)
	}
	if sources <= maxSources {
		return nil
	}
	return fault.Stallf(v1alpha1.LimitExceededReason,
		"the release has %d sources, the limit is %d: pack several files into an archive or an artifact", sources, maxSources)
}

// OpenFor returns an opened release as one Cluster gets it: the same one, unless a source
// gives each Cluster bytes of its own. What the Cluster is to get is then made and kept,
// if it was not before. As Open, it never waits, and its errors are those of Open; who is
// told with SubscribeClusters hears the name of owner, the ClusterBundle, when it is there
// or has failed.
func (l *Library) OpenFor(owner types.NamespacedName, shared *Bundle, cluster Cluster) (*Bundle, error) {
	if !shared.resolved.variesByCluster() {
		return shared, nil
	}
	resolved, err := l.clusters.resolve(owner, shared, cluster)
	if err != nil {
		return nil, err
	}
	return l.releases.open(shared.owner, resolved, shared.ReadyWhen)
}

// SubscribeClusters has notify called with the name of a ClusterBundle whenever what
// OpenFor was asked for on its behalf is there or has failed. It is to be used as
// Subscribe is.
func (l *Library) SubscribeClusters(notify func(clusterBundle types.NamespacedName)) {
	l.clusters.subscribers.add(notify)
}

// Invalidate has the sources of a namespace that depend on an object resolved
// again the next time they are asked for, and fetched again if that failed. depends reports whether a source does.
// A verified source has no parts until then.
func (l *Library) Invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	l.resolutions.invalidate(namespace, depends)
	l.clusters.invalidate(namespace, depends)
	l.valued.invalidate(namespace, depends)
	l.releases.parts.invalidate(namespace, depends)
}

// LookAgain has the sources of a Bundle resolved, and those that failed fetched, the
// next time they are asked for: nobody waits for an interval or a retry.
func (l *Library) LookAgain(bundle types.NamespacedName) {
	l.resolutions.jobs.lookAgain(bundle)
	l.clusters.lookAgain(bundle)
	l.valued.lookAgain(bundle)
	l.releases.parts.jobs.lookAgain(bundle)
	l.releases.editions.jobs.lookAgain(bundle)
}

// Forget has what only the Bundle named give way to others in the cache: it is gone, or
// is opened anew because it names something else. Abandon is to be called when that is done.
func (l *Library) Forget(bundle types.NamespacedName) {
	l.releases.store.Forget(bundle)
	l.resolutions.jobs.doubt(bundle)
	l.releases.parts.jobs.doubt(bundle)
}

// Abandon ends what was begun for the Bundle alone and was not asked for on its behalf
// since Forget: a download or a render, or the wait for one, would keep others waiting.
func (l *Library) Abandon(bundle types.NamespacedName) {
	l.resolutions.jobs.abandon(bundle)
	l.releases.parts.jobs.abandon(bundle)
}

// ForgetFor ends what OpenFor and OpenValued began for a ClusterBundle alone, which is gone.
func (l *Library) ForgetFor(clusterBundle types.NamespacedName) {
	l.clusters.jobs.doubt(clusterBundle)
	l.clusters.jobs.abandon(clusterBundle)
	l.valued.jobs.doubt(clusterBundle)
	l.valued.jobs.abandon(clusterBundle)
}

// IsMutable reports whether a source of the release can change under its name.
func (l *Library) IsMutable(r v1alpha1.Release) bool { return l.resolutions.isMutable(r) }

// subscribers are notified when a job of theirs has another outcome.
type subscribers struct {
	notifies []func(owner types.NamespacedName)
}

func (s *subscribers) add(notify func(owner types.NamespacedName)) {
	s.notifies = append(s.notifies, notify)
}

func (s *subscribers) notify(owner types.NamespacedName) {
	for _, notify := range s.notifies {
		notify(owner)
	}
}
