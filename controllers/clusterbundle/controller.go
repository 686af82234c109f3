package clusterbundle

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/workload"
)

// opener opens releases without blocking.
type opener interface {
	Digest(bundle types.NamespacedName, release v1alpha1.Release, kubernetes string) (v1alpha1.Digest, error)
	Open(bundle types.NamespacedName, release v1alpha1.Release, kubernetes string) (*library.Bundle, error)
}

// Reconciler reconciles ClusterBundles. All fields are required.
type Reconciler struct {
	Client      client.Client
	Recorder    events.EventRecorder
	Library     opener
	Connections *workload.Connections
	Watches     *workload.Watches
	// Budget bounds the bytes of objects in memory over all passes.
	Budget *semaphore.Weighted
	Clock  clock.PassiveClock
	// BundleNews names the Bundles of which the Library has news.
	BundleNews *trigger.Channel
	// ClusterNews names the ClusterBundles in whose workload cluster something happened.
	ClusterNews *trigger.Channel

	holds holds
}

// Reconcile makes one pass over one workload cluster and reports what it found.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	clusterBundle := &v1alpha1.ClusterBundle{}
	err := r.Client.Get(ctx, req.NamespacedName, clusterBundle)
	if err != nil || !clusterBundle.DeletionTimestamp.IsZero() {
		r.Watches.Stop(req.NamespacedName)
		r.holds.drop(req.NamespacedName)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := clusterBundle.DeepCopy()
	found := r.pass(ctx, clusterBundle)
	setStatus(clusterBundle, found)
	if !equality.Semantic.DeepEqual(before.Status, clusterBundle.Status) {
		if err := r.Client.Status().Patch(ctx, clusterBundle, client.MergeFrom(before)); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		status.Transition(r.Recorder, clusterBundle, before, found.err)
		r.reportPhases(clusterBundle, before)
	}
	observePhases(clusterBundle, before)
	return status.Result(found.err)
}

// findings are what a reconcile found: why no pass was made, or what it did.
type findings struct {
	paused bool
	passed *rollout.Outcome
	err    error
}

// pass makes a pass unless something keeps us from it.
func (r *Reconciler) pass(ctx context.Context, clusterBundle *v1alpha1.ClusterBundle) findings {
	key := client.ObjectKeyFromObject(clusterBundle)
	ready, err := r.prepare(ctx, clusterBundle)
	if fault.ReasonOf(err, "") == v1alpha1.ReleaseChangedReason {
		err = r.unlessAppliedOnce(ctx, clusterBundle, err)
	}
	if err != nil || ready.client == nil {
		r.Watches.Stop(key)
		return findings{paused: errors.Is(err, errPaused), err: err}
	}
	r.holds.keep(key, ready.bundle.Hold)
	passed := r.rollout(clusterBundle, ready).Run(ctx)
	if passed.Err == nil {
		r.holds.drop(key)
	}
	r.Watches.Want(key, ready.client, passed.Targets)
	return findings{passed: &passed, err: passed.Err}
}

// ingredients are what a pass needs.
type ingredients struct {
	release v1alpha1.Release
	bundle  *library.Bundle
	client  *workload.Client
}

// prepare gathers what a pass needs, or says what keeps us from it.
func (r *Reconciler) prepare(ctx context.Context, clusterBundle *v1alpha1.ClusterBundle) (ingredients, error) {
	cluster, err := r.cluster(ctx, clusterBundle)
	if err != nil {
		return ingredients{}, err
	}
	if err := keeps(cluster, clusterBundle); err != nil {
		return ingredients{}, err
	}
	var ready ingredients
	if ready.release, err = r.release(ctx, clusterBundle); err != nil {
		return ingredients{}, r.diagnose(ctx, cluster, err)
	}
	if ready.bundle, err = r.open(ctx, clusterBundle, ready.release); err != nil {
		return ingredients{}, r.diagnose(ctx, cluster, err)
	}
	if ready.client, err = r.Connections.Client(ctx, client.ObjectKeyFromObject(cluster)); err != nil {
		return ingredients{}, r.diagnose(ctx, cluster, err)
	}
	return ready, nil
}

// debounce is how long events of one workload cluster are collected before a
// pass: a bundle's CustomResourceDefinitions change several times a second
// while they become established.
const debounce = 100 * time.Millisecond
