package bundle

import (
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// referenceField is the field of Bundles in the manager's cache that has what
// their sources name in their namespace.
const referenceField = "references"

// The kinds of objects that a source can name.
const (
	configMapKind = "ConfigMap"
	secretKind    = "Secret"
)

// coreVersion is the group version of both.
var coreVersion = schema.GroupVersion{Version: "v1"}

// reference is an object in the namespace of a Bundle: its kind, a slash and its name.
func reference(kind, name string) string { return kind + "/" + name }

// references returns what a source names in its namespace.
func references(src v1alpha1.Source) []string {
	var all []string
	secret := func(ref v1alpha1.LocalReference) {
		if ref.Name != "" {
			all = append(all, reference(secretKind, ref.Name))
		}
	}
	if src.ConfigMap != nil {
		all = append(all, reference(configMapKind, src.ConfigMap.Name))
	}
	if src.Secret != nil {
		all = append(all, reference(secretKind, src.Secret.Name))
	}
	if src.HTTPS != nil {
		secret(src.HTTPS.SecretRef)
		secret(src.HTTPS.CARef)
	}
	if src.OCI != nil {
		secret(src.OCI.SecretRef)
		secret(src.OCI.CARef)
		all = append(all, policyReferences(src.OCI.Verify)...)
	}
	if src.Helm != nil {
		secret(src.Helm.SecretRef)
		secret(src.Helm.CARef)
		all = append(all, policyReferences(src.Helm.Verify)...)
		for _, values := range src.Helm.ValuesFrom {
			all = append(all, reference(values.Kind, values.Name))
		}
	}
	return all
}

// policyReferences returns what a policy for signatures names in the namespace of
// its Bundle.
func policyReferences(v *v1alpha1.Verify) []string {
	var all []string
	if v != nil && v.SecretRef.Name != "" {
		all = append(all, reference(secretKind, v.SecretRef.Name))
	}
	if v != nil && v.TrustedRootRef.Name != "" {
		all = append(all, reference(configMapKind, v.TrustedRootRef.Name))
	}
	return all
}

// indexReferences lets Bundles be found by what their sources name.
func indexReferences(ctx context.Context, indexer client.FieldIndexer) error {
	return indexer.IndexField(ctx, &v1alpha1.Bundle{}, referenceField, bundleReferences)
}

// bundleReferences returns what a Bundle names in its namespace, sorted, each once.
func bundleReferences(bundle client.Object) []string {
	spec := bundle.(*v1alpha1.Bundle).Spec
	all := policyReferences(spec.Verify)
	for _, release := range spec.Releases {
		for _, phase := range release.Phases {
			for _, src := range phase.Sources {
				all = append(all, references(src)...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// referenceSource puts Bundles into the queue when an object of the kind that
// their sources name changes. The cache holds metadata only.
func (r *Reconciler) referenceSource(objects cache.Cache, kind string) source.Source {
	return source.Kind[client.Object](objects, metadataOf(kind), handler.EnqueueRequestsFromMapFunc(
		func(ctx context.Context, object client.Object) []reconcile.Request {
			return r.requestsReferencing(ctx, object.GetNamespace(), reference(kind, object.GetName()))
		}))
}

// metadataOf returns empty metadata of a kind that a source can name.
func metadataOf(kind string) *metav1.PartialObjectMetadata {
	metadata := &metav1.PartialObjectMetadata{}
	metadata.SetGroupVersionKind(coreVersion.WithKind(kind))
	return metadata
}

// requestsReferencing returns the requests for the Bundles of a namespace whose
// sources name an object, after it has those sources resolved again.
func (r *Reconciler) requestsReferencing(ctx context.Context, namespace, named string) []reconcile.Request {
	bundles, err := bundlesReferencing(ctx, r.Client, namespace, named)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Bundles", "reference", named)
		return nil
	}
	if len(bundles) == 0 {
		return nil
	}
	r.Library.Invalidate(namespace, func(src v1alpha1.Source) bool { return slices.Contains(references(src), named) })
	requests := make([]reconcile.Request, len(bundles))
	for i := range bundles {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&bundles[i])
	}
	return requests
}

// bundlesReferencing returns the Bundles of a namespace that name an object.
func bundlesReferencing(
	ctx context.Context, reader client.Reader, namespace, named string,
) ([]v1alpha1.Bundle, error) {
	list := &v1alpha1.BundleList{}
	err := reader.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{referenceField: named})
	return list.Items, err
}
