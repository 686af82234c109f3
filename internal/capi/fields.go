package capi

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// Fields of ClusterBundles that the manager's cache indexes.
const (
	ClusterField = "spec.clusterName"
	SetField     = "spec.setName"
)

// bundleField is the Bundle, with its namespace, of ClusterBundles and of
// ClusterBundleSets: the manager's cache indexes it.
const bundleField = "bundle"

// IndexFields adds the indices of all controllers to the manager's cache. Call
// it once, before the manager starts: a second call is an error.
func IndexFields(ctx context.Context, indexer client.FieldIndexer) error {
	for field, value := range map[string]func(*v1alpha1.ClusterBundle) string{
		ClusterField: func(cb *v1alpha1.ClusterBundle) string { return cb.Spec.ClusterName },
		SetField:     func(cb *v1alpha1.ClusterBundle) string { return cb.Spec.SetName },
		bundleField:  func(cb *v1alpha1.ClusterBundle) string { return BundleOf(cb).String() },
	} {
		err := indexer.IndexField(ctx, &v1alpha1.ClusterBundle{}, field, func(o client.Object) []string {
			return []string{value(o.(*v1alpha1.ClusterBundle))}
		})
		if err != nil {
			return fmt.Errorf("index %s of ClusterBundles: %w", field, err)
		}
	}
	err := indexer.IndexField(ctx, &v1alpha1.ClusterBundleSet{}, bundleField, func(o client.Object) []string {
		return []string{BundleOfSet(o.(*v1alpha1.ClusterBundleSet)).String()}
	})
	if err != nil {
		return fmt.Errorf("index %s of ClusterBundleSets: %w", bundleField, err)
	}
	return nil
}

// shared has a cache return its own objects and no copies of them: a fleet is listed at
// many events, and a Bundle may have a megabyte. They must not be changed.
const shared = client.UnsafeDisableDeepCopy

// ClusterBundlesBy lists the ClusterBundles of a namespace whose field, one of
// those of IndexFields, has the value. They are those of the cache: whoever changes one
// makes a copy of it. Errors are those of the reader.
func ClusterBundlesBy(
	ctx context.Context, reader client.Reader, field, namespace, value string,
) ([]v1alpha1.ClusterBundle, error) {
	list := &v1alpha1.ClusterBundleList{}
	err := reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{field: value}, shared)
	return list.Items, err
}

// SetsOf lists the ClusterBundleSets of all namespaces that name a Bundle, which are
// those of the cache. Errors are those of the reader.
func SetsOf(
	ctx context.Context, reader client.Reader, bundle types.NamespacedName,
) ([]v1alpha1.ClusterBundleSet, error) {
	list := &v1alpha1.ClusterBundleSetList{}
	err := reader.List(ctx, list, client.MatchingFields{bundleField: bundle.String()}, shared)
	return list.Items, err
}

// RequestsBy returns a function that returns the requests for the ClusterBundles
// whose field has the name of an object of their namespace.
func RequestsBy(reader client.Reader, field string) func(context.Context, types.NamespacedName) []reconcile.Request {
	return func(ctx context.Context, named types.NamespacedName) []reconcile.Request {
		found, err := ClusterBundlesBy(ctx, reader, field, named.Namespace, named.Name)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "field", field, "value", named.Name)
			return nil
		}
		return requestsFor(found)
	}
}

// RequestsByBundle returns a function that returns the requests for the ClusterBundles
// of all namespaces that deliver a Bundle.
func RequestsByBundle(reader client.Reader) func(context.Context, types.NamespacedName) []reconcile.Request {
	return func(ctx context.Context, bundle types.NamespacedName) []reconcile.Request {
		list := &v1alpha1.ClusterBundleList{}
		if err := reader.List(ctx, list, client.MatchingFields{bundleField: bundle.String()}, shared); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing ClusterBundles", "Bundle", bundle)
		}
		return requestsFor(list.Items)
	}
}

func requestsFor(found []v1alpha1.ClusterBundle) []reconcile.Request {
	requests := make([]reconcile.Request, len(found))
	for i := range found {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&found[i])
	}
	return requests
}
