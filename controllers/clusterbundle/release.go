package clusterbundle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
)

// notChosenRetry is when to look again for a release that the set is about to
// pin, beside the watch of the ClusterBundle.
const notChosenRetry = 30 * time.Second

// errReleaseChanged is in the error for a release that the Bundle no longer has
// with the content that is pinned.
var errReleaseChanged = errors.New("with the digest that is pinned")

// getRelease finds the release that is pinned, if the Bundle still has it.
func (r *Reconciler) getRelease(ctx context.Context, s *scope) error {
	bundle, err := r.bundleOf(ctx, s.clusterBundle)
	if err != nil {
		return err
	}
	if s.clusterBundle.Spec.Version == "" {
		return r.notChosen(ctx, s.clusterBundle, bundle)
	}
	s.release, err = pinned(bundle.Spec, s.clusterBundle)
	return err
}

// bundleOf reads the Bundle of a ClusterBundle, with the errors of capi.Bundles.
func (r *Reconciler) bundleOf(ctx context.Context, cb *v1alpha1.ClusterBundle) (*v1alpha1.Bundle, error) {
	return r.Bundles.Get(ctx, capi.BundleOf(cb), cb.Namespace)
}

// notChosen returns why the set has not pinned a release. It is never nil.
func (r *Reconciler) notChosen(ctx context.Context, cb *v1alpha1.ClusterBundle, bundle *v1alpha1.Bundle) error {
	if found := r.choose(ctx, cb, bundle); found.err != nil {
		return found.err
	}
	return fault.Wait(v1alpha1.VersionNotChosenReason, notChosenRetry,
		fmt.Errorf("ClusterBundleSet %s has not chosen a release yet", cb.Spec.SetName))
}

// pinned returns the release that the ClusterBundle names, with the policy for
// signatures of the Bundle.
func pinned(bundle v1alpha1.BundleSpec, cb *v1alpha1.ClusterBundle) (v1alpha1.Release, error) {
	for _, candidate := range bundle.Releases {
		if candidate.Version == cb.Spec.Version {
			return release.WithVerifyPolicy(bundle, candidate)
		}
	}
	return v1alpha1.Release{}, releaseChanged(cb)
}

// openRelease opens the release that is pinned, if its content is still the same, as the
// Cluster gets it and the set edits it. It is rendered for the version of Kubernetes that its digest is of.
func (r *Reconciler) openRelease(ctx context.Context, s *scope) error {
	kubernetes := s.clusterBundle.Spec.Kubernetes
	if kubernetes == "" && release.NeedsKubernetes(s.release) {
		read, err := r.Connections.Version(ctx, clusterKey(s.clusterBundle), "")
		if err != nil {
			return err
		}
		kubernetes = read.Version
	}
	opened, err := r.Library.Open(capi.BundleOf(s.clusterBundle), s.release, kubernetes)
	if err != nil {
		return err
	}
	if opened.Digest != s.clusterBundle.Spec.Digest {
		return releaseChanged(s.clusterBundle)
	}
	cluster := library.Cluster{Namespace: s.cluster.Namespace, Name: s.cluster.Name, UID: s.cluster.UID}
	key := client.ObjectKeyFromObject(s.clusterBundle)
	valued, err := r.Library.OpenValued(key, opened, s.changes)
	if err != nil {
		return err
	}
	own, err := r.Library.OpenFor(key, valued, cluster)
	if err != nil {
		return err
	}
	edited, err := r.Library.OpenEdited(own, s.clusterBundle.Spec.Edits)
	if err != nil {
		return err
	}
	s.bundle, err = r.Library.OpenPatched(edited, s.changes)
	return err
}

// ignoreIfComplete returns the problem unless the release that is pinned is
// complete in the workload cluster; by the strategy ApplyOnce, any release.
func (r *Reconciler) ignoreIfComplete(ctx context.Context, s *scope, problem error) error {
	cb := s.clusterBundle
	cluster, err := r.Connections.Client(clusterKey(cb))
	if err != nil {
		return err
	}
	parent, err := rollout.ReadParent(ctx, cluster, inventory.ParentOf(cb.Namespace, cb.Spec.SetName))
	if err != nil {
		return err
	}
	content, err := edit.Digest(cb.Spec.Digest, cb.Spec.Edits)
	if err != nil {
		return err
	}
	once := cb.Spec.Strategy == v1alpha1.ApplyOnceStrategy && inventory.IsSettled(parent)
	if !once && !inventory.IsComplete(parent, string(s.changes.Over(content))) {
		return problem
	}
	return nil
}

func releaseChanged(cb *v1alpha1.ClusterBundle) error {
	return fault.Wait(v1alpha1.ReleaseChangedReason, 0, fmt.Errorf(
		"Bundle %s no longer has release %s %w", cb.Spec.BundleName, cb.Spec.Version, errReleaseChanged))
}
