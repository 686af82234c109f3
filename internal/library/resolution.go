package library

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/slots"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// resolutions remembers the parts of sources and renews them.
type resolutions struct {
	sources resolver
	kinds   *kinds
	slots   *slots.Slots
	jobs    *jobs[source.Query, []source.Part]
}

func newResolutions(
	ctx context.Context, cfg Config, kinds *kinds, slots *slots.Slots, notify func(types.NamespacedName),
) *resolutions {
	r := &resolutions{sources: cfg.Sources, kinds: kinds, slots: slots}
	r.jobs = newJobs(ctx, jobsConfig[source.Query, []source.Part]{
		work: r.ask, notify: notify, clock: cfg.Clock, same: sameParts, interval: cfg.Interval,
	})
	return r
}

// resolve returns a release with the parts of its sources, or the
// errors of the sources whose parts are not known.
func (r *resolutions) resolve(
	owner types.NamespacedName, wanted v1alpha1.Release, kubernetes string,
) (resolved, error) {
	s := resolving{resolutions: r, owner: owner, release: wanted, kubernetes: kubernetes}
	s.run()
	return s.result()
}

// parts returns the parts of a source, and why it could not be
// resolved again. Without parts the error is never nil.
func (r *resolutions) parts(owner types.NamespacedName, query source.Query) ([]source.Part, error) {
	if part, ok := r.sources.Static(query); ok {
		part.Origin = query
		return []source.Part{part}, nil
	}
	// Who is trusted no longer may have signed what is known.
	key, err := fingerprintOf([]any{query, r.sources.Trust()})
	if err != nil {
		return nil, err
	}
	known := r.jobs.ensure(owner, key, query)
	if known.result == nil {
		return nil, known.pending(r.jobs.clock.Now(), r.sources.Describe(query.Source))
	}
	return known.result, known.failure(r.jobs.clock.Now())
}

// ask resolves a source.
func (r *resolutions) ask(ctx context.Context, query source.Query) ([]source.Part, error) {
	release, err := r.slots.Acquire(ctx, query.Namespace)
	if err != nil {
		return nil, err
	}
	defer release()
	parts, err := r.sources.Resolve(store.WithNamespace(ctx, query.Namespace), query)
	for i := range parts {
		parts[i].Origin = query
	}
	return parts, err
}

// invalidate has the sources of a namespace that depend on an object resolved
// again. The result of a verified source is forgotten: the key that it was
// verified with may have been withdrawn.
func (r *resolutions) invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	r.jobs.invalidate(
		func(query source.Query) bool { return query.Namespace == namespace && depends(query.Source) },
		func(query source.Query) bool { return hasVerify(query.Source) },
	)
}

// hasVerify reports whether a source has a policy for signatures.
func hasVerify(src v1alpha1.Source) bool {
	return src.OCI != nil && src.OCI.Verify != nil || src.Helm != nil && src.Helm.Verify != nil
}

// isMutable reports whether a source of the release can change under its name.
func (r *resolutions) isMutable(release v1alpha1.Release) bool {
	for _, phase := range release.Phases {
		for _, src := range phase.Sources {
			if _, static := r.sources.Static(source.Query{Source: src}); !static {
				return true
			}
		}
	}
	return false
}

// sameParts reports whether two results of a source are equal for their callers.
func sameParts(a, b []source.Part) bool {
	return slices.EqualFunc(a, b, func(a, b source.Part) bool {
		return contentOf(a) == contentOf(b) && identityOf(a) == identityOf(b) && a.VerifiedBy == b.VerifiedBy && a.Artifact == b.Artifact &&
			slices.Equal(a.Warnings, b.Warnings)
	})
}

// minorOf returns the minor version of a Kubernetes version, as in "v1.36" for
// "v1.36.3+k3s1".
func minorOf(kubernetes string) string {
	parts := strings.SplitN(kubernetes, ".", 3)
	if len(parts) < 2 {
		return kubernetes
	}
	return parts[0] + "." + parts[1]
}
