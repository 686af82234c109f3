package clusterbundleset

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/trigger"
)

// versions tells the Kubernetes version of a workload cluster. One that is not
// connected is a fault.Wait.
type versions interface {
	Version(ctx context.Context, cluster client.ObjectKey) (string, error)
	// Forget drops what is kept of a workload cluster whose Cluster is gone.
	Forget(cluster client.ObjectKey)
}

// digests tells the digest of a release without blocking.
type digests interface {
	Digest(bundle types.NamespacedName, release v1alpha1.Release, kubernetes string) (v1alpha1.Digest, error)
}

// Reconciler reconciles ClusterBundleSets. All fields are required.
type Reconciler struct {
	Client   client.Client
	Recorder events.EventRecorder
	Versions versions
	Library  digests
	// News names the Bundles of which the Library has news.
	News *trigger.Channel
}

// Reconcile looks after one placement, or counts the placements of one set.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if p, ok := placementOf(req); ok {
		return status.Result(r.place(ctx, p))
	}
	return r.count(ctx, req.NamespacedName)
}

// count computes the status of a set from its ClusterBundles.
func (r *Reconciler) count(ctx context.Context, key types.NamespacedName) (ctrl.Result, error) {
	set := &v1alpha1.ClusterBundleSet{}
	if err := r.Client.Get(ctx, key, set); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !set.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	gathered, err := r.gather(ctx, set)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := set.DeepCopy()
	found := setStatus(set, gathered)
	if equality.Semantic.DeepEqual(before.Status, set.Status) {
		return ctrl.Result{}, nil
	}
	if err := r.Client.Status().Patch(ctx, set, client.MergeFrom(before)); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	status.Transition(r.Recorder, set, before, found)
	return ctrl.Result{}, nil
}
