package library

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Cluster is a Cluster in the namespace of a Bundle.
type Cluster = source.Cluster

// clusters knows what Clusters get of the parts of which each gets bytes of its own. Its
// jobs are owned by ClusterBundles: one that is done concerns no other Cluster.
type clusters struct {
	subscribers *subscribers
	parts       *indexing
	slots       *slots.Slots
	jobs        *jobs[clusterPart, source.Part]
}

// clusterPart is a part for a Cluster, of a release of a Bundle.
type clusterPart struct {
	part    source.Part
	cluster Cluster
	bundle  types.NamespacedName
}

func newClusters(ctx context.Context, cfg Config, parts *indexing, slots *slots.Slots) *clusters {
	c := &clusters{subscribers: &subscribers{}, parts: parts, slots: slots}
	c.jobs = newJobs(ctx, jobsConfig[clusterPart, source.Part]{
		work: c.fetch, notify: c.subscribers.notify, clock: cfg.Clock, interval: cfg.Interval,
		same: func(a, b source.Part) bool { return a.ID() == b.ID() },
	})
	return c
}

// resolve returns what a Cluster gets of a release, or the errors of the parts that are
// not there yet.
func (c *clusters) resolve(owner types.NamespacedName, shared *Bundle, cluster Cluster) (resolved, error) {
	result := shared.resolved
	result.phases = slices.Clone(result.phases)
	problems := []error{shared.resolved.problem}
	var errs []error
	for i, phase := range result.phases {
		result.phases[i].parts = slices.Clone(phase.parts)
		for j, part := range phase.parts {
			if part.ForCluster == nil {
				continue
			}
			own, err := c.part(owner, clusterPart{part, cluster, shared.owner})
			err = fault.Wrap("phase "+phase.name, err)
			if own.Digest == "" {
				errs = append(errs, err)
				continue
			}
			problems = append(problems, err)
			result.phases[i].parts[j] = own
		}
	}
	result.problem = fault.Join(problems...)
	return result, fault.Join(errs...)
}

// part returns what a Cluster gets of a part, and why that could not be looked at again.
// Without a part the error is never nil.
func (c *clusters) part(owner types.NamespacedName, wanted clusterPart) (source.Part, error) {
	key, err := fingerprintOf([]any{wanted.bundle, wanted.part.Identity, wanted.part.Origin, wanted.cluster})
	if err != nil {
		return source.Part{}, err
	}
	known := c.jobs.ensure(owner, key, wanted)
	if !known.succeeded {
		return source.Part{}, known.pending(c.jobs.clock.Now(), wanted.part.From)
	}
	return known.result, known.failure(c.jobs.clock.Now())
}

// fetch brings what a Cluster gets of a part onto the disk, indexed.
func (c *clusters) fetch(ctx context.Context, wanted clusterPart) (source.Part, error) {
	own, err := c.ask(ctx, wanted)
	if err != nil {
		return source.Part{}, err
	}
	own.Origin = wanted.part.Origin
	return own, c.parts.fetch(ctx, own)
}

func (c *clusters) ask(ctx context.Context, wanted clusterPart) (source.Part, error) {
	release, err := c.slots.Acquire(ctx, wanted.bundle.Namespace)
	if err != nil {
		return source.Part{}, err
	}
	defer release()
	return wanted.part.ForCluster(store.WithNamespace(ctx, wanted.bundle.Namespace), wanted.cluster)
}

// invalidate has what Clusters get of the sources of a namespace that depend on an object
// looked at again.
func (c *clusters) invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	c.jobs.invalidate(
		func(wanted clusterPart) bool {
			return wanted.part.Origin.Namespace == namespace && depends(wanted.part.Origin.Source)
		},
		func(clusterPart) bool { return false },
	)
}

// lookAgain has what Clusters get of the sources of a Bundle looked at again. Who waits
// for nothing would not ask: it is told to.
func (c *clusters) lookAgain(bundle types.NamespacedName) {
	owners := c.jobs.makeDue(func(known *job[clusterPart, source.Part]) bool { return known.subject.bundle == bundle })
	for _, owner := range owners {
		c.subscribers.notify(owner)
	}
}
