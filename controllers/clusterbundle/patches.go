package clusterbundle

import (
	"context"

	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/patch"
)

// evaluatePatches finds out what the patches of the set change for the Cluster, as it is
// now. What is wrong with them is reported also while what was delivered before is
// complete.
func (r *Reconciler) evaluatePatches(_ context.Context, s *scope) error {
	spec := s.clusterBundle.Spec
	if len(spec.Patches) == 0 {
		return nil
	}
	if r.NeverPatches {
		return fault.Stallf(v1alpha1.FeatureDisabledReason,
			"the set has patches, and this manager runs without the feature gate ClusterPatches")
	}
	variables, err := patch.VariablesOf(s.cluster, spec.Variables, spec.Kubernetes)
	if err != nil {
		return err
	}
	s.changes, err = patch.Evaluate(spec.Patches, variables)
	return err
}

// variablesChanged lets through the events of a Cluster that change variables of patches.
func variablesChanged() predicate.Predicate { return capi.ClusterChanged(patch.Fingerprint) }

// toPatched returns the requests for the ClusterBundles of a Cluster that have patches.
func (r *Reconciler) toPatched(ctx context.Context, cluster client.Object) []reconcile.Request {
	found, err := capi.ClusterBundlesBy(ctx, r.Client, capi.ClusterField, cluster.GetNamespace(), cluster.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "Cluster", klog.KObj(cluster))
	}
	var requests []reconcile.Request
	for i := range found {
		if len(found[i].Spec.Patches) > 0 {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&found[i])})
		}
	}
	return requests
}
