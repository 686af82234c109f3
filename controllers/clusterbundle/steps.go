package clusterbundle

import (
	"context"
	"errors"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// scope is what one reconcile knows. Each step reads what those before it set.
type scope struct {
	// clusterBundle is set from the beginning.
	clusterBundle *v1alpha1.ClusterBundle
	// cluster is set by getCluster; it is that of the cache, and must not be changed.
	cluster *clusterv1.Cluster
	// set is set by getSet; nil if it does not exist. It is that of the cache, too.
	set *v1alpha1.ClusterBundleSet
	// checked is true when no blocker has a reason; set by checkBlockers.
	checked bool
	// choice is the release to have; set by checkChoice unless that does not matter.
	choice *choice
	// changes are what the patches of the set change for the Cluster; set by
	// evaluatePatches.
	changes patch.Changes
	// release is the one that is pinned; set by getRelease.
	release v1alpha1.Release
	// bundle is its content; set by openRelease.
	bundle *library.Bundle
	// workload is connected; set by connect.
	workload *workload.Client
	// requests are sent through the same connection until one is not answered; set by
	// connect.
	requests *workload.Client
	// waits is true while other sets are watched, set by awaitDependencies.
	waits bool
	// passed is what the pass found; set by makePass.
	passed *rollout.Outcome
	// removed is what an uninstall found and did; set by removeObjects.
	removed *rollout.RemovalOutcome
}

// step does one thing of a reconcile. An error ends the reconcile.
type step func(context.Context, *scope) error

// steps returns what a reconcile does, in order.
func (r *Reconciler) steps() []step {
	return []step{
		r.getCluster,        // the Cluster that the ClusterBundle is for
		r.getSet,            // the set that it is of
		checkBlockers,       // no step behind this one runs while the Cluster is to be left alone
		r.checkChoice,       // whether the release that is pinned is the one to have
		r.evaluatePatches,   // what the Cluster gets in another way than others
		r.getRelease,        // the release that is pinned, or why there is none
		r.openRelease,       // its content, verified and planned
		r.connect,           // to the workload cluster
		r.awaitDependencies, // on sets that are not complete there
		r.makePass,          // over the workload cluster, as far as its gates allow
	}
}

// findings are what a reconcile found: why no pass was made, or what it did.
type findings struct {
	// starting is true while the manager has just begun to connect.
	starting bool
	choice   *choice
	passed   *rollout.Outcome
	err      error
}

// startTime is how long a manager that starts may take to connect, before what it
// is not connected to is reported.
const startTime = time.Minute

// run takes the steps until one returns an error. What is watched for the next pass
// goes with a reconcile that made none, unless it watches what it waits for.
func (r *Reconciler) run(ctx context.Context, s *scope) findings {
	var err error
	for _, step := range r.steps() {
		if err = step(ctx, s); err != nil {
			break
		}
	}
	if s.passed == nil {
		err = r.explain(ctx, s, err)
	}
	if s.passed == nil && !s.waits {
		r.Watches.Stop(client.ObjectKeyFromObject(s.clusterBundle))
	}
	return findings{
		starting: r.isStarting(),
		choice:   s.choice, passed: s.passed, err: err,
	}
}

// explain returns the error of a step with what is known beside it, or nil where
// it does not matter to what is in the workload cluster.
func (r *Reconciler) explain(ctx context.Context, s *scope, err error) error {
	if s.doesNotMatterWhenComplete(err) {
		err = r.ignoreIfComplete(ctx, s, err)
	}
	if errors.Is(err, workload.ErrNotConnected) {
		err = r.diagnose(ctx, s.cluster, err)
	}
	return err
}

// doesNotMatterWhenComplete reports whether an error is of no account where the
// pinned release is complete: by the strategy ApplyOnce whatever happened to the
// Bundle, else that a source, a registry or the cache is away.
func (s *scope) doesNotMatterWhenComplete(err error) bool {
	switch {
	case s.checked && s.clusterBundle.Spec.Strategy == v1alpha1.ApplyOnceStrategy && s.clusterBundle.Spec.Version != "":
		return !errors.Is(err, workload.ErrNotConnected)
	case s.release.Version != "" && s.bundle == nil:
		return !errors.Is(err, errReleaseChanged) && !errors.Is(err, workload.ErrNotConnected)
	}
	return false
}
