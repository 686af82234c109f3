package workload

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

// definitionPage is how many CustomResourceDefinitions one answer holds: one can be
// larger than a megabyte.
const definitionPage = 20

// definitionList is the part of a list of CustomResourceDefinitions that matters.
type definitionList struct {
	metav1.ListMeta `json:"metadata"`

	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Group string `json:"group"`
			Scope string `json:"scope"`
			Names struct {
				Kind   string `json:"kind"`
				Plural string `json:"plural"`
			} `json:"names"`
		} `json:"spec"`
		Status struct {
			StoredVersions []string `json:"storedVersions"`
		} `json:"status"`
	} `json:"items"`
}

// Definitions reads what matters of all CustomResourceDefinitions, by their name, in
// pages of 20.
func (c *Client) Definitions(ctx context.Context) (map[string]definition.Live, error) {
	all := make(map[string]definition.Live)
	l := listing{
		resource: manifest.Resource{Group: "apiextensions.k8s.io", Version: "v1", Plural: "customresourcedefinitions"},
		accept:   acceptJSON, limit: definitionPage,
	}
	err := pages(ctx, c, l, func(page *definitionList) {
		for _, item := range page.Items {
			all[item.Metadata.Name] = definition.Live{
				Group: item.Spec.Group, Kind: item.Spec.Names.Kind, Plural: item.Spec.Names.Plural,
				Namespaced: item.Spec.Scope == "Namespaced", Stored: item.Status.StoredVersions,
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
