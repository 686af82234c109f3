package clusterbundle

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/util/annotations"
	"sigs.k8s.io/cluster-api/util/secret"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/inventory"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
)

const (
	// diagnoseRetry is when to look again why a cluster is not connected: the
	// ClusterCache tries every 30 seconds and says only when it succeeded.
	diagnoseRetry = 30 * time.Second

	// defaultTimeout is the timeout of a phase that names none: the default in
	// the schema, for objects that were made before it.
	defaultTimeout = 10 * time.Minute
)

var errPaused = fault.Wait(v1alpha1.PausedReason, 0, errors.New("the Cluster or this object is paused"))

// cluster reads the Cluster of a ClusterBundle.
func (r *Reconciler) cluster(ctx context.Context, cb *v1alpha1.ClusterBundle) (*clusterv1.Cluster, error) {
	cluster := &clusterv1.Cluster{}
	err := r.Client.Get(ctx, clusterKey(cb), cluster)
	if apierrors.IsNotFound(err) {
		return nil, fault.Wait(v1alpha1.ClusterNotFoundReason, 0,
			fmt.Errorf("Cluster %s does not exist", cb.Spec.ClusterName))
	}
	return cluster, err
}

// isPaused tells whether the Cluster, by its spec or by annotation, or the
// ClusterBundle is paused.
func isPaused(cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle) bool {
	return annotations.IsPaused(cluster, cb) || annotations.HasPaused(cluster)
}

// keeps returns what keeps us from a pass: pure.
func keeps(cluster *clusterv1.Cluster, cb *v1alpha1.ClusterBundle) error {
	switch {
	case isPaused(cluster, cb):
		return errPaused
	case !cluster.DeletionTimestamp.IsZero():
		return fault.Wait(v1alpha1.ClusterNotFoundReason, 0,
			fmt.Errorf("Cluster %s is being deleted", cluster.Name))
	case cb.Spec.Suspend != nil && *cb.Spec.Suspend:
		return fault.Wait(v1alpha1.SuspendedReason, 0,
			fmt.Errorf("ClusterBundleSet %s is suspended", cb.Spec.SetName))
	case !controlPlaneInitialized(cluster):
		return fault.Wait(v1alpha1.ControlPlaneNotInitializedReason, 0,
			fmt.Errorf("the control plane of Cluster %s is not initialized yet", cluster.Name))
	}
	return nil
}

func controlPlaneInitialized(cluster *clusterv1.Cluster) bool {
	initialized := cluster.Status.Initialization.ControlPlaneInitialized
	return initialized != nil && *initialized
}

// release returns the release that is pinned, if the Bundle still has it.
func (r *Reconciler) release(ctx context.Context, cb *v1alpha1.ClusterBundle) (v1alpha1.Release, error) {
	bundle := &v1alpha1.Bundle{}
	err := r.Client.Get(ctx, bundleKey(cb), bundle)
	if apierrors.IsNotFound(err) {
		return v1alpha1.Release{}, fault.Wait(v1alpha1.BundleNotFoundReason, 0,
			fmt.Errorf("Bundle %s does not exist", cb.Spec.BundleName))
	}
	if err != nil {
		return v1alpha1.Release{}, err
	}
	if cb.Spec.Version == "" {
		return v1alpha1.Release{}, r.notChosen(ctx, cb, bundle)
	}
	return pinned(bundle.Spec, cb)
}

// notChosen says why the set could not choose a release. It is never nil.
func (r *Reconciler) notChosen(ctx context.Context, cb *v1alpha1.ClusterBundle, bundle *v1alpha1.Bundle) error {
	set := &v1alpha1.ClusterBundleSet{}
	if err := r.Client.Get(ctx, setKey(cb), set); err != nil {
		return err
	}
	kubernetes, err := r.Connections.Version(ctx, clusterKey(cb))
	if err != nil {
		return err
	}
	chosen, err := release.Choose(bundle.Spec.Releases, set.Spec.Bundle.Version, kubernetes)
	if err != nil {
		return err
	}
	if chosen, err = release.WithVerifyPolicy(bundle.Spec, chosen); err != nil {
		return err
	}
	if _, err := r.Library.Digest(bundleKey(cb), chosen, kubernetes); err != nil {
		return err
	}
	return fault.Wait(v1alpha1.VersionNotChosenReason, diagnoseRetry,
		fmt.Errorf("ClusterBundleSet %s has not chosen a release yet", cb.Spec.SetName))
}

// pinned returns the release that the ClusterBundle names: pure.
func pinned(bundle v1alpha1.BundleSpec, cb *v1alpha1.ClusterBundle) (v1alpha1.Release, error) {
	for _, candidate := range bundle.Releases {
		if candidate.Version == cb.Spec.Version {
			return release.WithVerifyPolicy(bundle, candidate)
		}
	}
	return v1alpha1.Release{}, changed(cb)
}

// open opens the release that is pinned, if its content still is.
func (r *Reconciler) open(
	ctx context.Context, cb *v1alpha1.ClusterBundle, pinned v1alpha1.Release,
) (*library.Bundle, error) {
	kubernetes := ""
	if release.NeedsKubernetes(pinned) {
		var err error
		if kubernetes, err = r.Connections.Version(ctx, clusterKey(cb)); err != nil {
			return nil, err
		}
	}
	opened, err := r.Library.Open(bundleKey(cb), pinned, kubernetes)
	if err != nil {
		return nil, err
	}
	if opened.Digest != cb.Spec.Digest {
		return nil, changed(cb)
	}
	return opened, nil
}

// unlessAppliedOnce returns the error, that the release has changed, unless that
// does not matter any more: by the strategy ApplyOnce what is applied stays.
func (r *Reconciler) unlessAppliedOnce(ctx context.Context, cb *v1alpha1.ClusterBundle, changed error) error {
	if cb.Spec.Strategy != v1alpha1.ApplyOnceStrategy {
		return changed
	}
	cluster, err := r.Connections.Client(ctx, clusterKey(cb))
	if err != nil {
		return err
	}
	parent, err := rollout.ReadParent(ctx, cluster, inventory.ParentOf(cb.Namespace, cb.Spec.SetName))
	if err != nil {
		return err
	}
	if !inventory.IsComplete(parent, string(cb.Spec.Digest)) {
		return changed
	}
	return nil
}

func changed(cb *v1alpha1.ClusterBundle) error {
	return fault.Wait(v1alpha1.ReleaseChangedReason, 0, fmt.Errorf(
		"Bundle %s no longer has release %s with the digest that is pinned", cb.Spec.BundleName, cb.Spec.Version))
}

// rollout puts together what a pass works with.
func (r *Reconciler) rollout(cb *v1alpha1.ClusterBundle, ready ingredients) rollout.Rollout {
	phases := make([]rollout.Phase, len(ready.release.Phases))
	for i, phase := range ready.release.Phases {
		phases[i] = rollout.Phase{ReadyWhen: ready.bundle.ReadyWhen[i], Timeout: defaultTimeout}
		if phase.Timeout != nil {
			phases[i].Timeout = phase.Timeout.Duration
		}
	}
	return rollout.Rollout{
		Cluster: ready.client,
		Parent:  inventory.ParentOf(cb.Namespace, cb.Spec.SetName),
		Release: rollout.Release{
			Bundle: bundleKey(cb).String(), Version: ready.release.Version, Digest: string(ready.bundle.Digest),
			Plan: ready.bundle.Plan, Phases: phases, JSON: ready.bundle.JSON,
		},
		Adoption: cb.Spec.Adoption,
		Budget:   r.Budget,
		Now:      r.Clock.Now(),
	}
}

// diagnose says what keeps the ClusterCache from connecting, as far as the
// kubeconfig Secret tells: the ClusterCache itself only logs it.
func (r *Reconciler) diagnose(ctx context.Context, cluster *clusterv1.Cluster, err error) error {
	if fault.ReasonOf(err, "") != v1alpha1.ClusterNotConnectedReason {
		return err
	}
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: secret.Name(cluster.Name, secret.Kubeconfig)}
	kubeconfig := &corev1.Secret{}
	problem := err
	switch read := r.Client.Get(ctx, key, kubeconfig); {
	case apierrors.IsNotFound(read):
		problem = fmt.Errorf("%w: Secret %s does not exist, or lacks the label %s", err, key.Name, clusterv1.ClusterNameLabel)
	case read != nil:
		return read
	case !usable(kubeconfig.Data[secret.KubeconfigDataName]):
		problem = fmt.Errorf("%w: Secret %s has no kubeconfig in its key %q", err, key.Name, secret.KubeconfigDataName)
	}
	return fault.Wait(v1alpha1.ClusterNotConnectedReason, diagnoseRetry, problem)
}

// usable tells whether the bytes are a kubeconfig. The error is left out: it
// may quote what is secret.
func usable(kubeconfig []byte) bool {
	_, err := clientcmd.RESTConfigFromKubeConfig(kubeconfig)
	return err == nil
}

func clusterKey(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.ClusterName}
}

func setKey(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.SetName}
}

func bundleKey(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return types.NamespacedName{Namespace: cb.Namespace, Name: cb.Spec.BundleName}
}
