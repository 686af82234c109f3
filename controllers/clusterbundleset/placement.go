package clusterbundleset

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
)

// placement is one set on one Cluster of its namespace.
type placement struct{ namespace, set, cluster string }

// separator keeps the two names of a placement apart in the name of a request:
// no name in Kubernetes has it.
const separator = "/"

// request is the item of the queue for the placement.
func (p placement) request() ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: p.namespace, Name: p.set + separator + p.cluster}}
}

// placementOf reads a placement back from its item, if it is one.
func placementOf(req ctrl.Request) (placement, bool) {
	set, cluster, ok := strings.Cut(req.Name, separator)
	return placement{namespace: req.Namespace, set: set, cluster: cluster}, ok
}

// place makes the ClusterBundle of a placement what the set and the Cluster ask
// for, or deletes it if the set does not select the Cluster or one of them is
// gone. While one of them is paused it does nothing.
func (r *Reconciler) place(ctx context.Context, p placement) error {
	set, cluster, err := r.pair(ctx, p)
	if err != nil {
		return err
	}
	if cluster == nil {
		r.Versions.Forget(client.ObjectKey{Namespace: p.namespace, Name: p.cluster})
	}
	if isPaused(set, cluster) {
		return nil
	}
	selected, err := selects(set, cluster)
	if err != nil {
		return err
	}
	existing, err := r.existing(ctx, p)
	if err != nil {
		return err
	}
	if !selected {
		return r.withdraw(ctx, existing)
	}
	if existing == nil {
		if existing, err = r.create(ctx, set, cluster); err != nil {
			return err
		}
	}
	return r.pin(ctx, set, cluster, existing)
}

// isPaused tells whether a set or a Cluster, as far as they exist, is paused.
func isPaused(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) bool {
	return set != nil && annotations.HasPaused(set) || cluster != nil && annotations.IsPaused(cluster, cluster)
}

// selects tells whether there is a set, and a Cluster that it selects, and
// neither is being deleted. The garbage collector alone would keep the
// ClusterBundle until both of its owners are gone.
func selects(set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster) (bool, error) {
	if set == nil || cluster == nil || !set.DeletionTimestamp.IsZero() || !cluster.DeletionTimestamp.IsZero() {
		return false, nil
	}
	selector, err := selectorOf(set)
	if err != nil {
		return false, err
	}
	return selector.Matches(labels.Set(cluster.Labels)), nil
}

// pair reads the set and the Cluster; nil stands for one that does not exist.
func (r *Reconciler) pair(ctx context.Context, p placement) (*v1alpha1.ClusterBundleSet, *clusterv1.Cluster, error) {
	set, cluster := &v1alpha1.ClusterBundleSet{}, &clusterv1.Cluster{}
	setErr := r.Client.Get(ctx, types.NamespacedName{Namespace: p.namespace, Name: p.set}, set)
	if apierrors.IsNotFound(setErr) {
		set, setErr = nil, nil
	}
	clusterErr := r.Client.Get(ctx, types.NamespacedName{Namespace: p.namespace, Name: p.cluster}, cluster)
	if apierrors.IsNotFound(clusterErr) {
		cluster, clusterErr = nil, nil
	}
	return set, cluster, errors.Join(setErr, clusterErr)
}

// existing returns the ClusterBundle of a placement, nil if there is none.
func (r *Reconciler) existing(ctx context.Context, p placement) (*v1alpha1.ClusterBundle, error) {
	found, err := r.clusterBundles(ctx, p.namespace, client.MatchingFields{placementField: p.request().Name})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// clusterBundles lists the ClusterBundles with the given value of a field.
func (r *Reconciler) clusterBundles(
	ctx context.Context, namespace string, field client.MatchingFields,
) ([]v1alpha1.ClusterBundle, error) {
	list := &v1alpha1.ClusterBundleList{}
	err := r.Client.List(ctx, list, client.InNamespace(namespace), field)
	return list.Items, err
}

// withdraw deletes a ClusterBundle that is no longer asked for. What was applied
// stays, by the deletion policy Retain.
func (r *Reconciler) withdraw(ctx context.Context, existing *v1alpha1.ClusterBundle) error {
	if existing == nil {
		return nil
	}
	return client.IgnoreNotFound(r.Client.Delete(ctx, existing, client.Preconditions{UID: &existing.UID}))
}

// create makes the ClusterBundle of a placement, with no release pinned yet.
func (r *Reconciler) create(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster,
) (*v1alpha1.ClusterBundle, error) {
	wanted := &v1alpha1.ClusterBundle{}
	wanted.Namespace, wanted.Name = set.Namespace, nameOf(set.Name, cluster.Name)
	want(wanted, set, cluster)
	err := r.Client.Create(ctx, wanted)
	if !apierrors.IsAlreadyExists(err) {
		return wanted, err
	}
	// "a" on "b-c" and "a-b" on "c" have one plain name.
	taken := &v1alpha1.ClusterBundle{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(wanted), taken); err != nil {
		return nil, err
	}
	if taken.Spec.SetName == set.Name && taken.Spec.ClusterName == cluster.Name {
		return taken, nil
	}
	wanted.ResourceVersion, wanted.Name = "", hashedName(set.Name, cluster.Name)
	return wanted, client.IgnoreAlreadyExists(r.Client.Create(ctx, wanted))
}

// pin chooses the release for a placement and writes what changed.
func (r *Reconciler) pin(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle,
) error {
	before := cb.DeepCopy()
	want(cb, set, cluster)
	var err error
	if !settled(cb) {
		err = r.choose(ctx, set, cluster, cb)
	}
	patch := client.MergeFrom(before)
	if content, diffErr := patch.Data(cb); diffErr != nil || string(content) == "{}" {
		return fault.Join(err, diffErr)
	}
	return fault.Join(err, client.IgnoreNotFound(r.Client.Patch(ctx, cb, patch)))
}

// settled tells whether the release of a placement is chosen for good: with the
// strategy ApplyOnce the first one is.
func settled(cb *v1alpha1.ClusterBundle) bool {
	return cb.Spec.Strategy == v1alpha1.ApplyOnceStrategy && cb.Spec.Version != ""
}

// choose puts into a ClusterBundle the release that its placement gets. Where
// none can be chosen, the one of before stays.
func (r *Reconciler) choose(
	ctx context.Context, set *v1alpha1.ClusterBundleSet, cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle,
) error {
	bundle, err := r.bundle(ctx, set)
	if err != nil {
		return err
	}
	kubernetes, unknown := r.Versions.Version(ctx, client.ObjectKeyFromObject(cluster))
	if unknown != nil && fault.ClassOf(unknown) != fault.ClassWait {
		return unknown
	}
	chosen, err := release.Choose(bundle.Spec.Releases, set.Spec.Bundle.Version, kubernetes)
	if err != nil {
		return err
	}
	if unknown != nil && release.NeedsKubernetes(chosen) {
		return unknown
	}
	verified, err := release.WithVerifyPolicy(bundle.Spec, chosen)
	if err != nil {
		return err
	}
	digest, err := r.Library.Digest(client.ObjectKeyFromObject(bundle), verified, kubernetes)
	if err != nil {
		return err
	}
	cb.Spec.Version, cb.Spec.Digest = chosen.Version, digest
	return nil
}

// bundle reads the Bundle of a set. One that does not exist is a fault.Wait.
func (r *Reconciler) bundle(ctx context.Context, set *v1alpha1.ClusterBundleSet) (*v1alpha1.Bundle, error) {
	bundle := &v1alpha1.Bundle{}
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: set.Namespace, Name: set.Spec.Bundle.Name}, bundle)
	if apierrors.IsNotFound(err) {
		return nil, fault.Wait(v1alpha1.BundleNotFoundReason, 0,
			fmt.Errorf("Bundle %s does not exist in this namespace", set.Spec.Bundle.Name))
	}
	return bundle, err
}

// selectorOf returns the selector of a set. An empty one selects nothing: the
// schema refuses it, but what was stored before must not select everything.
func selectorOf(set *v1alpha1.ClusterBundleSet) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(&set.Spec.ClusterSelector)
	if err != nil {
		return nil, fault.Stall(v1alpha1.SelectorInvalidReason, fmt.Errorf("clusterSelector: %w", err))
	}
	if selector.Empty() {
		return nil, fault.Stallf(v1alpha1.SelectorInvalidReason, "clusterSelector is empty: name at least one label")
	}
	return selector, nil
}
