package library

import (
	"iter"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// resolved is a release with the parts that its sources stand for.
type resolved struct {
	phases []resolvedPhase
	// problem is why a source could not be resolved again lately; what it stood
	// for before still holds.
	problem error
}

type resolvedPhase struct {
	name  string
	parts []source.Part
}

// all goes through the parts of a release in order.
func (r resolved) all() iter.Seq[source.Part] {
	return func(yield func(source.Part) bool) {
		for _, phase := range r.phases {
			for _, part := range phase.parts {
				if !yield(part) {
					return
				}
			}
		}
	}
}

// byID returns the parts of a release by their identity.
func (r resolved) byID() map[string]source.Part {
	parts := make(map[string]source.Part)
	for part := range r.all() {
		parts[part.ID()] = part
	}
	return parts
}

// signers returns who signed what had to be signed of a release, sorted.
func (r resolved) signers() []string {
	var signers []string
	for part := range r.all() {
		if part.VerifiedBy != "" {
			signers = append(signers, part.VerifiedBy)
		}
	}
	slices.Sort(signers)
	return slices.Compact(signers)
}

// digest is the identity of the content of a release.
func (r resolved) digest() v1alpha1.Digest {
	phases := make([]release.Phase, len(r.phases))
	for i, phase := range r.phases {
		phases[i].Name = phase.name
		for _, part := range phase.parts {
			phases[i].Sources = append(phases[i].Sources, part.ID())
		}
	}
	return release.Digest(phases)
}

// resolve returns what the sources of a release stand for, or the errors of
// those of which that is not known.
func (l *Library) resolve(owner types.NamespacedName, r v1alpha1.Release, kubernetes string) (resolved, error) {
	result := resolved{phases: make([]resolvedPhase, len(r.Phases))}
	var errs, problems []error
	for i, phase := range r.Phases {
		result.phases[i].name = phase.Name
		for _, src := range phase.Sources {
			parts, err := l.parts(owner, src, kubernetes)
			err = fault.Wrap("phase "+phase.Name, err)
			if parts == nil {
				errs = append(errs, err)
				continue
			}
			problems = append(problems, err)
			result.phases[i].parts = slices.Concat(result.phases[i].parts, parts)
		}
	}
	result.problem = fault.Join(problems...)
	return result, fault.Join(errs...)
}

// parts returns what a source stands for, and why it could not be resolved
// again lately. Without parts the error is never nil.
func (l *Library) parts(owner types.NamespacedName, src v1alpha1.Source, kubernetes string) ([]source.Part, error) {
	if part, ok := l.Sources.Static(src); ok {
		return []source.Part{part}, nil
	}
	query := &source.Query{Namespace: owner.Namespace, Source: src}
	if src.Helm != nil {
		query.Kubernetes = minorOf(kubernetes)
	}
	key, err := fingerprint(query)
	if err != nil {
		return nil, err
	}
	known := l.ensure(owner, key, query, func() ([]source.Part, error) {
		if err := l.slots.Acquire(l.ctx, 1); err != nil {
			return nil, err
		}
		defer l.slots.Release(1)
		return l.Sources.Resolve(l.ctx, *query)
	})
	if known.parts == nil {
		return nil, known.state(l.Clock.Now(), l.Sources.Describe(src))
	}
	return known.parts, known.failure(l.Clock.Now())
}

// Invalidate has the sources of a namespace that depend on an object resolved again
// the next time they are asked for. depends tells of a source whether it does.
// Those that are verified stand for nothing until then.
func (l *Library) Invalidate(namespace string, depends func(v1alpha1.Source) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, known := range l.jobs {
		if known.query == nil || known.query.Namespace != namespace || !depends(known.query.Source) {
			continue
		}
		known.dueAt = l.Clock.Now()
		// One under way may have read the object before it changed, and what was
		// verified with a key that may be withdrawn holds no longer.
		if known.running || verifies(known.query.Source) {
			delete(l.jobs, key)
		}
	}
}

// verifies tells whether a source has a policy for signatures.
func verifies(src v1alpha1.Source) bool {
	return src.OCI != nil && src.OCI.Verify != nil || src.Helm != nil && src.Helm.Verify != nil
}

// IsMutable reports whether a source of the release can change under its name.
func (l *Library) IsMutable(r v1alpha1.Release) bool {
	for _, phase := range r.Phases {
		for _, src := range phase.Sources {
			if _, static := l.Sources.Static(src); !static {
				return true
			}
		}
	}
	return false
}

func sameParts(a, b []source.Part) bool {
	return slices.EqualFunc(a, b, func(a, b source.Part) bool {
		return a.ID() == b.ID() && a.VerifiedBy == b.VerifiedBy
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
