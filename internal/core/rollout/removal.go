package rollout

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
)

// RemovalCluster is a workload cluster as a Removal needs it. Errors of its ports
// have their class and name the object.
type RemovalCluster interface {
	Reader
	Remover
	Keeper
}

// Removal is the removal of all that a set owns from one workload cluster. What it
// owns, the parent of its inventory says: neither the Bundle nor its sources are
// needed.
type Removal struct {
	// Cluster is the workload cluster.
	Cluster RemovalCluster
	// Parent is the identity of the set.
	Parent inventory.Parent
	// CRDs decides whether CustomResourceDefinitions and Namespaces are removed. The
	// zero value removes none.
	CRDs v1alpha1.CRDPolicy
	// Living are the other sets that have a ClusterBundle on the Cluster. What they
	// share is left to them.
	Living inventory.Living
	// Guard returns why nothing may be written any more. It is asked before every
	// write and must not block. Nil means that everything may be written.
	Guard func() error
	// Memory is what the removals of this process from the workload cluster remember.
	// Nil means an empty one.
	Memory *RemovalMemory
	// Now returns the time.
	Now func() time.Time
}

// RemovalMemory are the kinds of which nothing is left, so that they are not listed
// again while others are being removed. It may be lost at any time. The zero value
// remembers nothing.
type RemovalMemory struct {
	done map[schema.GroupKind]bool
	// policy is by what is done: with another one what stayed may have to go.
	policy v1alpha1.CRDPolicy
}

// RemovalOutcome is what a removal found and did.
type RemovalOutcome struct {
	// NoParent is true if the workload cluster has no inventory of the set: nothing was
	// ever applied, all was removed before, or somebody deleted the parent and with it
	// the knowledge of what there is.
	NoParent bool
	// Left is how many objects are still to be removed, as far as is known.
	Left int
	// Targets are what to watch until the next one.
	Targets []Target
	// Err is why it is not done; nil when nothing is left, the parent included.
	Err error
}

// Run removes what can be removed now, and does not wait for what takes longer: the
// instances of custom kinds while their operator lives, then webhooks, the operator,
// its configuration, and by the policy CustomResourceDefinitions and Namespaces. The
// error is a fault.Wait with RemovingReason while objects are being deleted, and with
// FinalizerReason if one is not gone after a minute.
func (r Removal) Run(ctx context.Context) RemovalOutcome {
	slice, cancel := context.WithTimeout(ctx, sliceTime)
	defer cancel()
	if r.Memory == nil {
		r.Memory = &RemovalMemory{}
	}
	if r.Memory.done == nil || r.Memory.policy != r.CRDs {
		*r.Memory = RemovalMemory{done: make(map[schema.GroupKind]bool), policy: r.CRDs}
	}
	parent, err := ReadParent(ctx, r.Cluster, r.Parent)
	if err != nil || parent.ResourceVersion == "" {
		return RemovalOutcome{NoParent: err == nil, Err: err}
	}
	all := leavers{
		sender: sender{slice: slice, guard: r.Guard}, cluster: r.Cluster, reader: r.Cluster,
		parent: r.Parent, living: r.Living, policy: r.CRDs, now: r.Now(), reason: v1alpha1.RemovingReason,
		keep: func(schema.GroupKind, string, string) bool { return false },
		done: r.Memory.done,
	}
	stayed, err := all.removeWith(ctx, r.Cluster, parent)
	if stopped := all.allowed(); ctx.Err() != nil && stopped != nil {
		err = stopped // who ended the context had the reason of the Guard
	}
	return RemovalOutcome{Left: stayed.left, Targets: stayed.targets, Err: fault.Wrap("removal", err)}
}

// removeWith removes the members of a parent, and it behind them. Before the first of
// them goes the parent says so: whoever stops halfway must not take what is left for a
// release that is complete.
func (l leavers) removeWith(ctx context.Context, keeper Keeper, parent *corev1.ConfigMap) (stayed, error) {
	marked, err := l.parent.Removing(parent)
	if err != nil {
		return stayed{}, err
	}
	if marked != nil {
		if err := l.allowed(); err != nil {
			return stayed{}, err
		}
		if parent, err = keeper.SaveParent(ctx, marked); err != nil {
			return stayed{}, err
		}
	}
	left, err := l.remove(ctx, inventory.RecordOf(parent))
	if err == nil {
		err = l.removeParent(ctx, parent)
	}
	return left, err
}

// removeParent removes the parent: the end of the inventory.
func (l leavers) removeParent(ctx context.Context, parent *corev1.ConfigMap) error {
	if err := l.allowed(); err != nil {
		return err
	}
	_, err := l.cluster.Delete(ctx, configMaps, refOfParent(l.parent), identityOf(parent))
	return err
}
