package bundle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/status"
)

// Named is a ConfigMap or a Secret that a source can name: an item of the queue.
type Named struct{ Kind, Namespace, Name string }

// key is the namespace and the name of the object.
func (n Named) key() types.NamespacedName {
	return types.NamespacedName{Namespace: n.Namespace, Name: n.Name}
}

// MoveLabels reconciles the label by which clusterctl moves what Bundles name. It owns
// no such object: what a user made must not go because a Bundle is deleted. All fields
// but Filter are required.
type MoveLabels struct {
	Client client.Client
	Filter capi.Filter
	// Objects is a cache of the metadata of ConfigMaps and Secrets, as
	// capi.KeepMoveLabel leaves it.
	Objects client.Reader
}

var _ reconcile.TypedReconciler[Named] = (*MoveLabels)(nil)

// SetupWithManager adds the reconciler to the manager, behind that of Bundles. objects is
// the cache that is read from.
func (r *MoveLabels) SetupWithManager(
	mgr ctrl.Manager, objects cache.Cache, options controller.TypedOptions[Named],
) error {
	kind := func(kind string) source.TypedSource[Named] {
		return source.TypedKind(objects, metadataOf(kind), objectEvents(r.Client, kind, r.Filter))
	}
	ours := predicate.NewPredicateFuncs(func(bundle client.Object) bool { return r.Filter.Has(bundle) })
	return builder.TypedControllerManagedBy[Named](mgr).
		Named("move-labels").
		Watches(&v1alpha1.Bundle{}, bundleEvents(), builder.WithPredicates(ours)).
		WatchesRawSource(kind(configMapKind)).
		WatchesRawSource(kind(secretKind)).
		WithOptions(options).
		Complete(r)
}

// Reconcile gives an object the label if a Bundle of this manager names it, and takes the
// label that was given from one that no Bundle at all names any more. A label of the
// user's stays.
func (r *MoveLabels) Reconcile(ctx context.Context, named Named) (ctrl.Result, error) {
	object := metadataOf(named.Kind)
	if err := r.Objects.Get(ctx, named.key(), object); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	bundles, err := bundlesReferencing(ctx, r.Client, named.Namespace, reference(named.Kind, named.Name))
	if err != nil {
		return ctrl.Result{}, err
	}
	has, ours := capi.HasMoveLabel(object)
	if isNamed := len(bundles) > 0; has == isNamed || has && !ours || !object.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	if !has && !slices.ContainsFunc(bundles, func(b v1alpha1.Bundle) bool { return r.Filter.Has(&b) }) {
		return ctrl.Result{}, nil
	}
	err = r.write(ctx, object, !has)
	if apierrors.IsConflict(err) {
		return ctrl.Result{RequeueAfter: status.StaleRetry}, nil
	}
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, fmt.Errorf("label for clusterctl of %s %s: %w", named.Kind, named.key(), err)
	}
	return ctrl.Result{}, nil
}

// write gives an object the label or takes it away, if the object is as it was read. The
// cache has no other labels, so the difference to it says nothing.
func (r *MoveLabels) write(ctx context.Context, read *metav1.PartialObjectMetadata, give bool) error {
	var value any // nil removes the label
	if give {
		value = capi.MoveLabelValue
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": read.ResourceVersion, "labels": map[string]any{capi.MoveLabel: value},
	}})
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, read.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
}
