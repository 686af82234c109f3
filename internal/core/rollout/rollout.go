package rollout

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
)

// Release is a release of a Bundle that is rolled out.
type Release struct {
	// Bundle is the namespace and name of the Bundle, Version that of the release.
	Bundle, Version string
	// Digest of the release.
	Digest string
	// Plan of the release.
	Plan *plan.Plan
	// Phases are the rules of the plan's phases, in the same order.
	Phases []Phase
	// JSON returns the bytes of an object of the plan.
	JSON func(object plan.Object) ([]byte, error)
}

// Phase holds the rules of a phase: what the plan does not have.
type Phase struct {
	// ReadyWhen must hold before the phase is ready.
	ReadyWhen []*readiness.Expression
	// WaitForConditions is true if the custom resources of the phase have to be ready
	// by their conditions.
	WaitForConditions bool
	// Timeout after which a phase that is not ready is stalled.
	Timeout time.Duration
}

// Rollout is one release on one workload cluster.
type Rollout struct {
	// Cluster is the workload cluster.
	Cluster Cluster
	// Parent is the identity of the set that owns what is applied.
	Parent inventory.Parent
	// Release is what is rolled out.
	Release Release
	// Adoption decides whether objects of other owners are taken over. The zero
	// value takes over none.
	Adoption v1alpha1.Adoption
	// ImmutableFields decides whether an object with a field that cannot be changed is
	// made anew. The zero value makes none anew but Jobs.
	ImmutableFields v1alpha1.ImmutableFields
	// CRDs decides whether CustomResourceDefinitions and Namespaces that left the
	// release are removed. The zero value removes none.
	CRDs v1alpha1.CRDPolicy
	// Once is true if what is complete is left alone: the strategy ApplyOnce.
	Once bool
	// Living are the sets that have a ClusterBundle on the Cluster.
	Living inventory.Living
	// Budget bounds the bytes of objects in memory over all passes.
	Budget *semaphore.Weighted
	// Guard returns why nothing may be written any more, as when the Cluster was
	// paused meanwhile. It is asked before every write and must not block. Nil
	// means that everything may be written.
	Guard func() error
	// IsQuiet reports whether a watch of the target saw nothing since the last pass
	// began, and missed nothing. Nil means that no watch can tell.
	IsQuiet func(Target) bool
	// Memory is what the passes of this process over the workload cluster remember.
	// Nil means an empty one.
	Memory *Memory
	// Resumed is when the release went on after it had been held up: a phase had no
	// time before. Zero if it never was.
	Resumed time.Time
	// Now returns the time.
	Now func() time.Time
}

// Outcome is what a pass found and did.
type Outcome struct {
	// Known is true if the parent could be read, and written where it had to be.
	// Without it Phases and Current are not meaningful.
	Known bool
	// Phases are the states of the phases, in the order of the plan.
	Phases []PhaseOutcome
	// Current is the index of the phase that the release is in, or the number
	// of phases when all are complete.
	Current int
	// Targets are what to watch until the next pass.
	Targets []Target
	// Repaired are the objects of complete phases that were applied again.
	Repaired []string
	// Err is why the release is not ready; nil when it is.
	Err error
}

// Applied reports whether every object of the release was applied.
func (o Outcome) Applied() bool {
	last := len(o.Phases) - 1
	return o.Known && (o.Current > last || o.Current == last && o.Phases[last].AllApplied)
}

// PhaseOutcome is the state of one phase.
type PhaseOutcome struct {
	Name  string
	State v1alpha1.PhaseState
	// Objects in the phase, and how many of them are applied and ready.
	Objects, Ready int
	// AllApplied is true if every object of the phase was applied.
	AllApplied bool
	// Times of the phase; zero before it begins.
	Times inventory.PhaseTimes
	// Message is what the phase waits for or what went wrong; empty for neither.
	Message string
}

// Target is what to watch in a workload cluster: one object by its name, or the
// objects of a kind that a label selects.
type Target struct {
	// Resource to watch.
	Resource manifest.Resource
	// Namespace to watch in; empty for all.
	Namespace string
	// Name of the object; empty for those that Label selects.
	Name string
	// Label is a label selector.
	Label string
	// Content is true if of an object only what a set applied matters: whose it is,
	// what was applied, whether it goes away, and the fields that sets manage.
	// Changes of its status and of the fields of others do not count then.
	Content bool
}

const (
	// sliceTime is how long a pass begins new requests. What it did not get done
	// the next one does, so that the status is never old.
	sliceTime = 20 * time.Second

	// saveTime bounds saving what a pass did, whatever ended it.
	saveTime = 5 * time.Second
)

// Run makes one pass.
func (r Rollout) Run(ctx context.Context) Outcome {
	if r.Memory == nil {
		r.Memory = &Memory{}
	}
	if r.IsQuiet == nil {
		r.IsQuiet = func(Target) bool { return false }
	}
	slice, cancel := context.WithTimeout(ctx, sliceTime)
	defer cancel()
	p := newPass(slice, r)
	err := p.walk(ctx)
	if ctx.Err() != nil {
		// Who ended the context may have had the reason of the Guard.
		if stopped := p.allowed(); stopped != nil {
			err = stopped
		}
	}
	if p.loaded && !p.Once {
		p.keepSeen(ctx)
	}
	if p.loaded && !isStopped(err) {
		err = fault.Join(err, p.saveAtEnd(ctx))
	}
	return p.outcome(err)
}
