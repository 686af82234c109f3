package takeover

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	addonsv1 "sigs.k8s.io/cluster-api/api/addons/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/takeover"
)

// read reads what is decided from.
func (r *run) read(ctx context.Context) error {
	crs := &addonsv1.ClusterResourceSet{}
	if err := r.get(ctx, r.Name, crs); err != nil {
		return fmt.Errorf("ClusterResourceSet %s/%s: %w", r.Namespace, r.Name, err)
	}
	r.given.ClusterResourceSet = crs
	if err := r.readLists(ctx); err != nil {
		return err
	}
	return r.readResources(ctx)
}

// readLists reads what else is in the namespace.
func (r *run) readLists(ctx context.Context) error {
	clusters, bindings := &clusterv1.ClusterList{}, &addonsv1.ClusterResourceSetBindingList{}
	others, sets := &addonsv1.ClusterResourceSetList{}, &v1alpha1.ClusterBundleSetList{}
	for _, list := range []client.ObjectList{clusters, bindings, others, sets} {
		if err := r.Client.List(ctx, list, client.InNamespace(r.Namespace)); err != nil {
			return err
		}
	}
	r.given.Clusters, r.given.Bindings, r.given.Others, r.given.Sets = clusters.Items, bindings.Items, others.Items, sets.Items
	return nil
}

// readResources reads what the ClusterResourceSet names.
func (r *run) readResources(ctx context.Context) error {
	r.given.Resources = nil
	for _, ref := range r.given.ClusterResourceSet.Spec.Resources {
		resource, err := r.readResource(ctx, ref)
		if err != nil {
			return fmt.Errorf("%s %s: %w", ref.Kind, ref.Name, err)
		}
		r.given.Resources = append(r.given.Resources, resource)
	}
	return nil
}

// readResource reads a ConfigMap or a Secret. That it does not exist is no error.
func (r *run) readResource(ctx context.Context, ref addonsv1.ResourceRef) (takeover.Resource, error) {
	resource := takeover.Resource{ResourceRef: ref}
	var object client.Object
	var err error
	if ref.Kind == string(addonsv1.SecretClusterResourceSetResourceKind) {
		secret := &corev1.Secret{}
		object, err = secret, r.get(ctx, ref.Name, secret)
		resource.Type, resource.Values = secret.Type, secret.Data
	} else {
		config := &corev1.ConfigMap{}
		object, err = config, r.get(ctx, ref.Name, config)
		resource.Binary, resource.Values = len(config.BinaryData) > 0, make(map[string][]byte, len(config.Data))
		for key, value := range config.Data {
			resource.Values[key] = []byte(value)
		}
	}
	resource.Found, resource.Owners = err == nil, object.GetOwnerReferences()
	if apierrors.IsNotFound(err) {
		return resource, nil
	}
	return resource, err
}

// get reads an object of the namespace.
func (r *run) get(ctx context.Context, name string, object client.Object) error {
	return r.Client.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: name}, object)
}

// written reads the Bundle, nil if it does not exist, and what became of the set.
func (r *run) written(ctx context.Context) (*v1alpha1.Bundle, []v1alpha1.ClusterBundle, error) {
	bundle := &v1alpha1.Bundle{}
	err := r.get(ctx, r.plan.Bundle.Name, bundle)
	if apierrors.IsNotFound(err) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	delivered := &v1alpha1.ClusterBundleList{}
	err = r.Client.List(ctx, delivered, client.InNamespace(r.Namespace))
	return bundle, delivered.Items, err
}
