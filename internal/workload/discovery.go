package workload

import (
	"context"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// acceptDiscovery asks for the discovery of all groups in one answer. A server
// that does not have it answers with the list of the groups alone.
const acceptDiscovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," + acceptJSON

// Resources reads which resources the API server serves in a group version, as
// discovery lists them; none if it does not serve the group version.
func (c *Client) Resources(ctx context.Context, group, version string) ([]metav1.APIResource, error) {
	list := &metav1.APIResourceList{}
	err := c.get(ctx, acceptJSON, list, groupVersionPath(group, version)...)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	subject := "discovery of " + schema.GroupVersion{Group: group, Version: version}.String()
	return list.APIResources, failed(subject, false, err)
}

// Served reads which resources the API server serves in each of the group
// versions, none of which is of the core group. Of several it reads the discovery
// of all groups in one request, or, where the server does not have that, each.
func (c *Client) Served(
	ctx context.Context, groupVersions []metav1.GroupVersion,
) (map[metav1.GroupVersion][]metav1.APIResource, error) {
	if len(groupVersions) > 1 {
		list := &apidiscoveryv2.APIGroupDiscoveryList{}
		if err := c.get(ctx, acceptDiscovery, list, "apis"); err != nil {
			return nil, failed("discovery", false, err)
		}
		if list.Kind == "APIGroupDiscoveryList" {
			return servedIn(list, groupVersions), nil
		}
	}
	served := make(map[metav1.GroupVersion][]metav1.APIResource, len(groupVersions))
	for _, gv := range groupVersions {
		resources, err := c.Resources(ctx, gv.Group, gv.Version)
		if err != nil {
			return nil, err
		}
		served[gv] = resources
	}
	return served, nil
}

// servedIn returns the resources in those of the group versions that are listed.
func servedIn(
	list *apidiscoveryv2.APIGroupDiscoveryList, groupVersions []metav1.GroupVersion,
) map[metav1.GroupVersion][]metav1.APIResource {
	served := make(map[metav1.GroupVersion][]metav1.APIResource, len(groupVersions))
	for _, gv := range groupVersions {
		served[gv] = nil
	}
	for _, group := range list.Items {
		for _, version := range group.Versions {
			gv := metav1.GroupVersion{Group: group.Name, Version: version.Version}
			if _, ok := served[gv]; ok {
				served[gv] = resourcesOf(version)
			}
		}
	}
	return served
}

// resourcesOf returns the resources of a group version in their older form.
func resourcesOf(version apidiscoveryv2.APIVersionDiscovery) []metav1.APIResource {
	resources := make([]metav1.APIResource, len(version.Resources))
	for i, r := range version.Resources {
		resources[i] = metav1.APIResource{
			Name: r.Resource, SingularName: r.SingularResource, ShortNames: r.ShortNames, Verbs: r.Verbs,
			Namespaced: r.Scope == apidiscoveryv2.ScopeNamespace,
		}
		if r.ResponseKind != nil {
			resources[i].Kind = r.ResponseKind.Kind
		}
	}
	return resources
}
