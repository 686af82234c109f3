package capi

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Bundles reads the Bundles that sets and ClusterBundles name.
type Bundles struct {
	// Reader of Bundles, and of the metadata of Namespaces.
	Reader client.Reader
	// OwnOnly is true where a Bundle of another namespace is not to be had: the manager
	// sees one namespace only, or the feature is turned off.
	OwnOnly bool
}

// BundleOf returns the name of the Bundle of a ClusterBundle.
func BundleOf(cb *v1alpha1.ClusterBundle) types.NamespacedName {
	return bundleIn(cb.Namespace, cb.Spec.BundleNamespace, cb.Spec.BundleName)
}

// BundleOfSet returns the name of the Bundle of a ClusterBundleSet.
func BundleOfSet(set *v1alpha1.ClusterBundleSet) types.NamespacedName {
	return bundleIn(set.Namespace, set.Spec.Bundle.Namespace, set.Spec.Bundle.Name)
}

func bundleIn(own, other, name string) types.NamespacedName {
	if other == "" {
		other = own
	}
	return types.NamespacedName{Namespace: other, Name: name}
}

// SetsOfOthers lists the ClusterBundleSets of a namespace whose Bundle is of another
// namespace: what they may use, the labels of their own Namespace decide. They are those
// of the cache. Errors are those of the reader.
func (b Bundles) SetsOfOthers(ctx context.Context, namespace string) ([]v1alpha1.ClusterBundleSet, error) {
	list := &v1alpha1.ClusterBundleSetList{}
	err := b.Reader.List(ctx, list, client.InNamespace(namespace), shared)
	return slices.DeleteFunc(list.Items, func(set v1alpha1.ClusterBundleSet) bool {
		return BundleOfSet(&set).Namespace == namespace
	}), err
}

// Get reads a Bundle for somebody in a namespace. One that does not exist is a
// fault.Wait; so is one that may not be used from there, with the same words: whoever may
// not use it learns nothing of it. The Bundle is that of the cache: it must not be changed.
func (b Bundles) Get(ctx context.Context, key types.NamespacedName, namespace string) (*v1alpha1.Bundle, error) {
	if key.Namespace != namespace && b.OwnOnly {
		return nil, fault.Stallf(v1alpha1.BundleNotFoundReason, "Bundle %s is of another namespace than %s: "+
			"this manager runs with --namespace or without the feature gate CrossNamespaceBundles", key, namespace)
	}
	bundle := &v1alpha1.Bundle{}
	err := b.Reader.Get(ctx, key, bundle, shared)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if key.Namespace == namespace {
		if err != nil {
			return nil, fault.Wait(v1alpha1.BundleNotFoundReason, 0,
				fmt.Errorf("Bundle %s does not exist in this namespace", key.Name))
		}
		return bundle, nil
	}
	allowed := false
	if err == nil {
		if allowed, err = b.allows(ctx, bundle, namespace); err != nil {
			return nil, err
		}
	}
	if !allowed {
		return nil, fault.Wait(v1alpha1.BundleNotFoundReason, 0, fmt.Errorf(
			"Bundle %s does not exist, or its allowedNamespaces does not select namespace %s", key, namespace))
	}
	return bundle, nil
}

// AllowedNamespaces returns the selector of the Namespaces, beside its own, from which a
// Bundle may be used. The error for one that cannot be used, which selects nothing, is a
// fault.Stall.
func AllowedNamespaces(bundle *v1alpha1.Bundle) (labels.Selector, error) {
	selector, err := metav1.LabelSelectorAsSelector(bundle.Spec.AllowedNamespaces) // nothing for nil
	if err != nil {
		return labels.Nothing(), fault.Stall(v1alpha1.SelectorInvalidReason, fmt.Errorf("allowedNamespaces: %w", err))
	}
	return selector, nil
}

// allows reports whether a Bundle may be used from another namespace.
func (b Bundles) allows(ctx context.Context, bundle *v1alpha1.Bundle, namespace string) (bool, error) {
	selector, err := AllowedNamespaces(bundle)
	if err != nil || selector.Empty() {
		return err == nil, nil //nolint:nilerr // the Bundle says what is wrong, to those who see it
	}
	from := &metav1.PartialObjectMetadata{}
	from.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err = b.Reader.Get(ctx, types.NamespacedName{Name: namespace}, from)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil && selector.Matches(labels.Set(from.Labels)), err
}
