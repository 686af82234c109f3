package app

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
)

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		clientgoscheme.AddToScheme, clusterv1.AddToScheme, v1alpha1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// cacheOptions has the manager cache, of all Secrets, those that Cluster API
// labels with the name of their Cluster, and of those only the kubeconfigs whole.
func cacheOptions(opts ManagerOptions) cache.Options {
	ofCluster, err := labels.NewRequirement(clusterv1.ClusterNameLabel, selection.Exists, nil)
	if err != nil {
		panic(err) // the label is a constant
	}
	options := cache.Options{
		SyncPeriod:       &opts.SyncPeriod,
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {
				Label:     labels.NewSelector().Add(*ofCluster),
				Transform: capi.KeepKubeconfigs,
			},
		},
	}
	if opts.Namespace != "" {
		options.DefaultNamespaces = map[string]cache.Config{opts.Namespace: {}}
	}
	return options
}

// The kinds that sources name.
var secretKind, configMapKind = &corev1.Secret{}, &corev1.ConfigMap{}

// nameable returns the ConfigMaps and the Secrets that a source may name. The others are
// many in every cluster: an authority in each namespace, tokens, releases of Helm, and
// the kubeconfigs and bootstrap data of Cluster API.
func nameable() map[client.Object]cache.ByObject {
	without := func(of corev1.SecretType) fields.Selector { return fields.OneTermNotEqualSelector("type", string(of)) }
	return map[client.Object]cache.ByObject{
		configMapKind: {Field: fields.OneTermNotEqualSelector(metav1.ObjectNameField, "kube-root-ca.crt")},
		secretKind: {Field: fields.AndSelectors(
			without(corev1.SecretTypeServiceAccountToken), without(corev1.SecretTypeBootstrapToken),
			without(clusterv1.ClusterSecretType), without("helm.sh/release.v1"),
		)},
	}
}

// metadataCache returns a cache of the metadata of the ConfigMaps and Secrets that a
// source may name, which the manager runs. Its own cache holds the Secrets of Clusters
// only.
func metadataCache(mgr ctrl.Manager, opts ManagerOptions) (cache.Cache, error) {
	options := cacheOptions(opts)
	options.HTTPClient, options.Scheme, options.Mapper = mgr.GetHTTPClient(), mgr.GetScheme(), mgr.GetRESTMapper()
	options.ByObject, options.DefaultTransform = nameable(), capi.KeepMoveLabel
	objects, err := cache.New(mgr.GetConfig(), options)
	if err != nil {
		return nil, err
	}
	return objects, mgr.Add(objects)
}
