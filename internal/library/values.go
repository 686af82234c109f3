package library

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// valued knows what charts are with values that patches change: for all Clusters with
// equal values once. Its jobs are owned by ClusterBundles, as those of clusters.
type valued struct {
	resolutions *resolutions
	parts       *indexing
	subscribers *subscribers
	jobs        *jobs[valuedChart, []source.Part]
}

// valuedChart is a chart with the changes of its values, of a release of a Bundle.
type valuedChart struct {
	query  source.Query
	bundle types.NamespacedName
}

func newValued(ctx context.Context, cfg Config, resolutions *resolutions, clusters *clusters) *valued {
	v := &valued{resolutions: resolutions, parts: clusters.parts, subscribers: clusters.subscribers}
	v.jobs = newJobs(ctx, jobsConfig[valuedChart, []source.Part]{
		work: v.fetch, notify: clusters.subscribers.notify, clock: cfg.Clock, same: sameParts, interval: cfg.Interval,
	})
	return v
}

// OpenValued returns an opened release with charts rendered with the values that changes
// make of those of the Bundle. Its Digest stays that of the release. As OpenFor, it never
// waits, and owner is the ClusterBundle that is told.
func (l *Library) OpenValued(owner types.NamespacedName, shared *Bundle, changes patch.Changes) (*Bundle, error) {
	changes = changes.OfCharts()
	if len(changes) == 0 {
		return shared, nil
	}
	resolved, err := l.valued.resolve(owner, shared, changes)
	if err != nil {
		return nil, err
	}
	return l.releases.open(shared.owner, resolved, shared.ReadyWhen)
}

// resolve returns a release with other parts for the charts whose values are changed, or
// the errors of those that are not there yet.
func (v *valued) resolve(owner types.NamespacedName, shared *Bundle, changes patch.Changes) (resolved, error) {
	result := shared.resolved
	result.phases = slices.Clone(result.phases)
	problems := []error{result.problem}
	var errs []error
	used := make(map[string]bool)
	for i, phase := range result.phases {
		result.phases[i].parts = slices.Clone(phase.parts)
		for j, part := range phase.parts {
			those := changes.OfChart(releaseOf(part))
			if len(those) == 0 {
				continue
			}
			those.NoteNames(used)
			own, err := v.part(owner, shared.owner, part, those)
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
	return result, fault.Join(append(errs, unused(changes, used))...)
}

// releaseOf returns the name of the release of the chart that a part was rendered from;
// empty for all other parts.
func releaseOf(part source.Part) string {
	if part.Origin.Source.Helm == nil || part.GivesWay {
		return ""
	}
	return part.Origin.Source.Helm.ReleaseName
}

// part returns the part of a chart with other values, in the place of the given one.
func (v *valued) part(
	owner, bundle types.NamespacedName, shared source.Part, changes patch.Changes,
) (source.Part, error) {
	query := shared.Origin
	query.Changes = changes
	// What is known for another content of the release may be of other values.
	key, err := fingerprintOf([]any{bundle, contentOf(shared), query, v.resolutions.sources.Trust()})
	if err != nil {
		return source.Part{}, err
	}
	known := v.jobs.ensure(owner, key, valuedChart{query, bundle})
	if !known.succeeded {
		return source.Part{}, known.pending(v.jobs.clock.Now(), v.resolutions.sources.Describe(query.Source))
	}
	own := known.result[0] // behind it may be its Namespace
	own.Identity = identityOf(shared)
	return own, known.failure(v.jobs.clock.Now())
}

// fetch renders a chart and brings it onto the disk, indexed.
func (v *valued) fetch(ctx context.Context, chart valuedChart) ([]source.Part, error) {
	parts, err := v.resolutions.ask(ctx, chart.query)
	if err != nil {
		return nil, err
	}
	return parts, v.parts.fetch(ctx, parts[0])
}

// invalidate has the charts of a namespace whose sources depend on an object rendered
// again.
func (v *valued) invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	v.jobs.invalidate(
		func(chart valuedChart) bool { return chart.query.Namespace == namespace && depends(chart.query.Source) },
		func(chart valuedChart) bool { return hasVerify(chart.query.Source) },
	)
}

// lookAgain has the charts of a Bundle rendered again, as clusters.lookAgain.
func (v *valued) lookAgain(bundle types.NamespacedName) {
	owners := v.jobs.makeDue(func(known *job[valuedChart, []source.Part]) bool { return known.subject.bundle == bundle })
	for _, owner := range owners {
		v.subscribers.notify(owner)
	}
}
