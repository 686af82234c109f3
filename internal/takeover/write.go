package takeover

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
)

// fieldManager is the field manager of what the command writes.
const fieldManager = "caapb-takeover"

// write writes what takes the place of the ClusterResourceSet, if it is to, or finds out
// whether it could. The set comes last: it finds all that it needs.
func (r *run) write(ctx context.Context) error {
	bundle, set := &v1alpha1.Bundle{}, &v1alpha1.ClusterBundleSet{}
	err := r.ensure(ctx, "Bundle", r.plan.Bundle, bundle, func() bool {
		return equality.Semantic.DeepDerivative(r.plan.Bundle.Spec, bundle.Spec)
	})
	if err != nil {
		return err
	}
	if r.Apply {
		if err := r.own(ctx, bundle); err != nil {
			return err
		}
	}
	return r.ensure(ctx, "ClusterBundleSet", r.plan.Set, set, func() bool {
		return equality.Semantic.DeepDerivative(r.plan.Set.Spec, set.Spec)
	})
}

// ensure creates an object unless it is there, and reads it. One that is there and does
// not hold what is wanted is somebody else's, or was changed since, and is left alone.
func (r *run) ensure(ctx context.Context, kind string, want, live client.Object, equal func() bool) error {
	err := r.get(ctx, want.GetName(), live)
	switch {
	case apierrors.IsNotFound(err) && !r.Apply:
		return nil
	case apierrors.IsNotFound(err):
		if err := r.Client.Create(ctx, want, client.FieldOwner(fieldManager)); err != nil {
			return fmt.Errorf("%s %s: %w", kind, want.GetName(), err)
		}
		r.reportf("%s %s/%s was created", kind, r.Namespace, want.GetName())
		return r.get(ctx, want.GetName(), live)
	case err != nil:
		return fmt.Errorf("%s %s: %w", kind, want.GetName(), err)
	case !equal():
		return fmt.Errorf("%s %s exists with another spec: choose another name with --name", kind, want.GetName())
	}
	return nil
}

// own gives what belongs to the ClusterResourceSet to the Bundle, too: the garbage
// collector removes it with the last of its owners.
func (r *run) own(ctx context.Context, bundle *v1alpha1.Bundle) error {
	owner := metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: "Bundle", Name: bundle.Name, UID: bundle.UID,
	}
	for i := range r.plan.Resources {
		resource := &r.plan.Resources[i]
		owners, err := r.addOwner(ctx, *resource, owner)
		if err != nil {
			return fmt.Errorf("owner of %s: %w", resource, err)
		}
		resource.Owners = owners
	}
	return nil
}

// addOwner adds an owner to a ConfigMap or a Secret, which is read again if another
// changed it meanwhile. It returns the owners.
func (r *run) addOwner(
	ctx context.Context, resource takeover.Resource, owner metav1.OwnerReference,
) ([]metav1.OwnerReference, error) {
	var object client.Object = &corev1.ConfigMap{}
	if resource.Kind == string(addonsv1.SecretClusterResourceSetResourceKind) {
		object = &corev1.Secret{}
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if err := r.get(ctx, resource.Name, object); err != nil {
			return err
		}
		owners := object.GetOwnerReferences()
		if slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == owner.UID }) {
			return nil
		}
		base := object.DeepCopyObject().(client.Object)
		object.SetOwnerReferences(append(owners, owner))
		patch := client.MergeFromWithOptions(base, client.MergeFromWithOptimisticLock{})
		return r.Client.Patch(ctx, object, patch, client.FieldOwner(fieldManager))
	})
	return object.GetOwnerReferences(), err
}
