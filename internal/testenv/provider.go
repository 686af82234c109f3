package testenv

import (
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
)

// The kinds that take the place of an infrastructure and a control plane
// provider. They fulfil the provider contract as far as a Cluster needs it;
// nothing works on them, so AddCluster writes their status.
var (
	infrastructureKind = schema.GroupVersionKind{
		Group: "infrastructure.cluster.x-k8s.io", Version: "v1beta1", Kind: "GenericInfrastructureCluster",
	}
	controlPlaneKind = schema.GroupVersionKind{
		Group: "controlplane.cluster.x-k8s.io", Version: "v1beta1", Kind: "GenericControlPlane",
	}
)

func providerCRDs() []*apiextensionsv1.CustomResourceDefinition {
	return []*apiextensionsv1.CustomResourceDefinition{providerCRD(infrastructureKind), providerCRD(controlPlaneKind)}
}

// providerCRD returns a CRD without a schema, named and labelled as the contract
// has it: https://cluster-api.sigs.k8s.io/developer/providers/contracts/overview.
func providerCRD(kind schema.GroupVersionKind) *apiextensionsv1.CustomResourceDefinition {
	singular := strings.ToLower(kind.Kind)
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{
			Name:   singular + "s." + kind.Group,
			Labels: map[string]string{clusterv1.GroupVersion.Group + "/" + clusterv1.GroupVersion.Version: kind.Version},
		},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: kind.Group,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{
				Kind: kind.Kind, ListKind: kind.Kind + "List", Plural: singular + "s", Singular: singular,
			},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: kind.Version, Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type: "object", XPreserveUnknownFields: new(true),
					},
				},
				Subresources: &apiextensionsv1.CustomResourceSubresources{
					Status: &apiextensionsv1.CustomResourceSubresourceStatus{},
				},
			}},
		},
	}
}

// providerObject returns an object of such a kind that belongs to the Cluster.
func providerObject(kind schema.GroupVersionKind, cluster *clusterv1.Cluster) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	u.SetGroupVersionKind(kind)
	u.SetNamespace(cluster.Namespace)
	u.SetName(cluster.Name)
	u.SetLabels(map[string]string{clusterv1.ClusterNameLabel: cluster.Name})
	return u
}
