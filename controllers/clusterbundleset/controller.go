package clusterbundleset

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// Reconciler reconciles ClusterBundleSets. All fields but Filter are required.
type Reconciler struct {
	Client  client.Client
	Filter  capi.Filter
	Bundles capi.Bundles
	Status  *status.Writer
}

// Reconcile computes the status of a set from its ClusterBundles.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	set := &v1alpha1.ClusterBundleSet{}
	if found, result, err := r.Status.Read(ctx, r.Client, req.NamespacedName, set); !found {
		return result, err
	}
	if !r.Filter.Has(set) {
		return ctrl.Result{}, nil
	}
	gathered, err := r.gather(ctx, set)
	if err != nil {
		return ctrl.Result{}, err
	}
	before := set.DeepCopy()
	found := setStatus(set, gathered)
	return r.Status.Finish(ctx, set, before, found)
}
