package workload

import (
	"context"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/definition"
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
	token := ""
	for {
		page := &definitionList{}
		if err := c.getDefinitions(ctx, token, page); err != nil {
			return nil, failed("list of customresourcedefinitions", false, err)
		}
		for _, item := range page.Items {
			all[item.Metadata.Name] = definition.Live{
				Group: item.Spec.Group, Kind: item.Spec.Names.Kind, Plural: item.Spec.Names.Plural,
				Namespaced: item.Spec.Scope == "Namespaced", Stored: item.Status.StoredVersions,
			}
		}
		if token = page.Continue; token == "" {
			return all, nil
		}
	}
}

func (c *Client) getDefinitions(ctx context.Context, token string, into *definitionList) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request := c.rest.Get().AbsPath("apis", "apiextensions.k8s.io", "v1", "customresourcedefinitions").
		SetHeader("Accept", acceptJSON).MaxRetries(0).Param("limit", strconv.Itoa(definitionPage))
	if token != "" {
		request = request.Param("continue", token)
	}
	body, err := answer(request.Do(ctx))
	if err != nil {
		return err
	}
	return decode(body, into)
}
