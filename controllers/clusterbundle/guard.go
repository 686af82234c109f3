package clusterbundle

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// guard returns a function that returns why a pass that is under way must not
// write any more: its Cluster, its set or its ClusterBundle is gone or another one,
// another manager has it now, a blocker has a reason, another release is pinned, or the
// pass may delete what it may not any more. It reads from the cache.
func (r *Reconciler) guard(ctx context.Context, s *scope) func() error {
	ctx = context.WithoutCancel(ctx) // it is also asked when the pass was ended
	began := s.clusterBundle.DeepCopy()
	clusterUID := s.cluster.UID
	return func() error {
		cluster, cb := &clusterv1.Cluster{}, &v1alpha1.ClusterBundle{}
		clusterErr := r.Client.Get(ctx, clusterKey(began), cluster, client.UnsafeDisableDeepCopy)
		set, setErr := r.setOf(ctx, began)
		cbErr := r.Client.Get(ctx, client.ObjectKeyFromObject(began), cb, client.UnsafeDisableDeepCopy)
		switch {
		case apierrors.IsNotFound(clusterErr) || clusterErr == nil && cluster.UID != clusterUID:
			return changedMeanwhile("Cluster " + began.Spec.ClusterName + " is gone")
		case apierrors.IsNotFound(cbErr) || cbErr == nil && (cb.UID != began.UID || !cb.DeletionTimestamp.IsZero()):
			return changedMeanwhile("the ClusterBundle is gone")
		case errors.Join(clusterErr, setErr, cbErr) != nil:
			return nil // not the cache's word: the next pass looks again
		case isSetGone(s.set, set):
			return changedMeanwhile("ClusterBundleSet " + began.Spec.SetName + " is gone")
		}
		return r.mustStop(began, &scope{cluster: cluster, set: set, clusterBundle: cb})
	}
}

// mustStop returns why a pass must not go on that began with a ClusterBundle, where all
// that it is for is still there.
func (r *Reconciler) mustStop(began *v1alpha1.ClusterBundle, now *scope) error {
	if !r.Filter.HasSetOn(now.set, now.cluster, now.clusterBundle) {
		return fault.Wait(v1alpha1.ProgressingReason, 0, errNotOurs)
	}
	if change := changeOf(began.Spec, now.clusterBundle.Spec); change != "" {
		return changedMeanwhile(change)
	}
	return blockedBy(now)
}

// changeOf returns what a pass must not go on with between the spec that it began with
// and that of now; empty for nothing.
func changeOf(began, now v1alpha1.ClusterBundleSpec) string {
	switch {
	case now.Digest != began.Digest:
		return "another release is pinned"
	case !equality.Semantic.DeepEqual(now.Edits, began.Edits):
		return "the set edits the release in another way"
	case !equality.Semantic.DeepEqual(now.Patching, began.Patching):
		return "the patches are others"
	case now.CRDs != began.CRDs, now.ImmutableFields != began.ImmutableFields:
		return "what may be deleted is another"
	}
	return ""
}

// isSetGone reports whether the set that a pass began with is gone, another one or
// being deleted. Its ClusterBundle goes, too, but later.
func isSetGone(began, now *v1alpha1.ClusterBundleSet) bool {
	return began != nil && (now == nil || now.UID != began.UID || !now.DeletionTimestamp.IsZero())
}

func changedMeanwhile(what string) error {
	return fault.Wait(v1alpha1.ProgressingReason, 0, fmt.Errorf("%s: the pass was ended", what))
}

// errPassStopped is the cause of the context of a pass that its guard ended.
var errPassStopped = errors.New("the pass was ended")

// running are the passes that are under way. The zero value is empty.
type running struct {
	mu     sync.Mutex
	passes map[types.NamespacedName]runningPass
}

type runningPass struct {
	of    *v1alpha1.ClusterBundle
	guard func() error
	stop  context.CancelCauseFunc
}

// begin returns a context for a pass of a ClusterBundle, which ends when recheck finds
// that the pass must not go on, and what ends the pass.
func (r *running) begin(ctx context.Context, of *v1alpha1.ClusterBundle, guard func() error) (context.Context, func()) {
	ctx, stop := context.WithCancelCause(ctx)
	key := client.ObjectKeyFromObject(of)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.passes == nil {
		r.passes = make(map[types.NamespacedName]runningPass)
	}
	r.passes[key] = runningPass{of: of, guard: guard, stop: stop}
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.passes, key)
		stop(nil)
	}
}

// recheck ends the passes that must not go on, with the requests that they have open. It
// is called when something changed that a guard looks at, with what of a ClusterBundle
// has which name then: in a fleet most events are of others.
func (r *running) recheck(keyOf func(*v1alpha1.ClusterBundle) types.NamespacedName, changed types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, pass := range r.passes {
		if keyOf(pass.of) == changed && pass.guard() != nil {
			pass.stop(errPassStopped)
		}
	}
}
