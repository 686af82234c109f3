package simulator

import (
	"encoding/json"
	"slices"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/version"
)

// definitions is where CustomResourceDefinitions are.
var definitions = storage{"apiextensions.k8s.io", "customresourcedefinitions"}

// definition is what a CustomResourceDefinition defines. All clusters share it.
type definition struct {
	name, group string
	// versions are those that are served, the preferred one first.
	versions []definedVersion
}

type definedVersion struct {
	*resource

	discovery apidiscoveryv2.APIResourceDiscovery
}

// newDefinition returns what the fields of a CustomResourceDefinition define, nil if
// they define nothing.
func newDefinition(fields map[string]any) *definition {
	crd := &apiextensionsv1.CustomResourceDefinition{}
	content, err := json.Marshal(fields)
	if err != nil || json.Unmarshal(content, crd) != nil {
		return nil
	}
	d := &definition{name: crd.Name, group: crd.Spec.Group}
	for i := range crd.Spec.Versions {
		if v := &crd.Spec.Versions[i]; v.Served {
			found := discoveryOf(crd, v)
			r := resourceOf(crd.Spec.Group, v.Name, found)
			r.hasGeneration, r.isCustom = true, true
			r.manageFields(func() (managedfields.TypeConverter, error) { return customConverter(crd, r.version) })
			d.versions = append(d.versions, definedVersion{r, found})
		}
	}
	slices.SortFunc(d.versions, func(a, b definedVersion) int {
		return version.CompareKubeAwareVersionStrings(b.version, a.version)
	})
	return d
}

// customConverter returns the schemas of a custom resource, as an API server makes them.
func customConverter(crd *apiextensionsv1.CustomResourceDefinition, version string) (managedfields.TypeConverter, error) {
	openAPI, err := builder.BuildOpenAPIV3(crd, version, builder.Options{})
	if err != nil {
		return nil, err
	}
	return managedfields.NewTypeConverter(openAPI.Components.Schemas, crd.Spec.PreserveUnknownFields)
}

// discoveryOf returns what discovery has of a version of a custom resource.
func discoveryOf(
	crd *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion,
) apidiscoveryv2.APIResourceDiscovery {
	names := crd.Spec.Names
	kind := &metav1.GroupVersionKind{Group: crd.Spec.Group, Version: version.Name, Kind: names.Kind}
	found := apidiscoveryv2.APIResourceDiscovery{
		Resource: names.Plural, SingularResource: names.Singular, ResponseKind: kind,
		Scope: apidiscoveryv2.ScopeCluster, ShortNames: names.ShortNames, Categories: names.Categories,
		Verbs: []string{"delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"},
	}
	if crd.Spec.Scope == apiextensionsv1.NamespaceScoped {
		found.Scope = apidiscoveryv2.ScopeNamespace
	}
	if version.Subresources == nil {
		return found
	}
	if version.Subresources.Status != nil {
		found.Subresources = append(found.Subresources, apidiscoveryv2.APISubresourceDiscovery{
			Subresource: "status", ResponseKind: kind, Verbs: []string{"get", "patch", "update"},
		})
	}
	if version.Subresources.Scale != nil {
		found.Subresources = append(found.Subresources, apidiscoveryv2.APISubresourceDiscovery{
			Subresource:  "scale",
			ResponseKind: &metav1.GroupVersionKind{Group: "autoscaling", Version: "v1", Kind: "Scale"},
			Verbs:        []string{"get", "patch", "update"},
		})
	}
	return found
}

// find returns the resource that the cluster serves at a path, nil for none. The caller
// holds c.mu.
func (c *Cluster) find(group, version, plural string) *resource {
	for _, d := range c.served {
		if d.group != group {
			continue
		}
		for _, v := range d.versions {
			if v.version == version && v.plural == plural {
				return v.resource
			}
		}
	}
	return nil
}
