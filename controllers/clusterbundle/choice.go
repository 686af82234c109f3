package clusterbundle

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// choice is the release that the set and the Bundle give the Cluster now.
type choice struct {
	release.Selection
	// err is why there is none.
	err error
	// settling means that the version of Kubernetes may be about to change.
	settling bool
}

// checkChoice finds out which release the Cluster would get now. It never keeps a
// pass from happening: what is pinned is delivered.
func (r *Reconciler) checkChoice(ctx context.Context, s *scope) error {
	if s.clusterBundle.Spec.Version == "" || s.clusterBundle.Spec.Strategy == v1alpha1.ApplyOnceStrategy {
		return nil
	}
	bundle, err := r.bundleOf(ctx, s.clusterBundle)
	if err != nil {
		return nil //nolint:nilerr // the step behind this one meets it and reports it
	}
	found := r.choose(ctx, s.clusterBundle, bundle)
	s.choice = &found
	return nil
}

// choose returns the release that the set and the Bundle give the Cluster now, by the
// same version of Kubernetes as the set pins it. It is one that can be opened.
func (r *Reconciler) choose(
	ctx context.Context, cb *v1alpha1.ClusterBundle, bundle *v1alpha1.Bundle,
) choice {
	set, err := r.setOf(ctx, cb)
	if set == nil && err == nil {
		return choice{err: fault.Wait(v1alpha1.VersionNotChosenReason, 0,
			fmt.Errorf("ClusterBundleSet %s does not exist", cb.Spec.SetName))}
	}
	if err != nil {
		return choice{err: err}
	}
	kubernetes, unknown := r.Connections.Version(ctx, clusterKey(cb), cb.Spec.Kubernetes)
	selected, err := r.Library.Select(bundle, release.QueryOf(set, cb, kubernetes.Version, unknown))
	if err != nil && errors.Is(err, unknown) && fault.ClassOf(err) != fault.ClassWait {
		err = fmt.Errorf("%w: %w", errVersionUnknown, err)
	}
	return choice{Selection: selected, err: err, settling: kubernetes.Again > 0}
}

// errVersionUnknown is in the error of a choice that depends on the version of a
// workload cluster that does not answer: no reason to call a release outdated.
var errVersionUnknown = errors.New("the version of Kubernetes is not known")

// setUpToDate sets the condition UpToDate. While it is not known what the Cluster
// would get, or another release may be about to be pinned, what was found before stays.
// With the strategy ApplyOnce no other release is to have, and there is none.
func setUpToDate(cb *v1alpha1.ClusterBundle, found *choice) {
	if cb.Spec.Strategy == v1alpha1.ApplyOnceStrategy {
		meta.RemoveStatusCondition(&cb.Status.Conditions, v1alpha1.UpToDateCondition)
		return
	}
	if found == nil || fault.ClassOf(found.err) == fault.ClassWait || errors.Is(found.err, errVersionUnknown) {
		return
	}
	if found.err != nil {
		setBehind(cb, found.err, "stays: ")
		return
	}
	if found.Version == cb.Spec.Version && found.Digest == cb.Spec.Digest {
		setPinned(cb, found)
	}
}

// setPinned sets UpToDate where the release that is pinned is the one to pin.
func setPinned(cb *v1alpha1.ClusterBundle, found *choice) {
	switch {
	case found.Behind != nil && fault.ClassOf(found.Behind) == fault.ClassWait:
		setBehind(cb, found.Behind, "is ")
	case found.Behind != nil:
		setBehind(cb, found.Behind, "stays: ")
	case !found.settling:
		status.SetCondition(cb, v1alpha1.UpToDateCondition, true, v1alpha1.UpToDateReason, "")
	}
}

// setBehind sets UpToDate to False: why another release than the one to have is pinned.
func setBehind(cb *v1alpha1.ClusterBundle, why error, verb string) {
	status.SetCondition(cb, v1alpha1.UpToDateCondition, false, fault.ReasonOf(why, v1alpha1.InternalErrorReason),
		fmt.Sprintf("release %s %s%s", cb.Spec.Version, verb, why))
}
