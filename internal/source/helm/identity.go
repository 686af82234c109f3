package helm

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// identityForm changes when the same input may render to other bytes: with a new
// Helm library, or with other rules in this package.
const identityForm = "helm-4.2/3"

// Identity returns a sha256 over everything that the output of Render depends on:
// the digest of the chart archive, the values, the minor version of Kubernetes, the
// API versions, and the other options. It fails only for a KubeVersion that cannot
// be parsed and for values that are not those of JSON, which Values does not return.
func Identity(chart digest.Digest, opts Options) (string, error) {
	version, err := minorVersion(opts.KubeVersion)
	if err != nil {
		return "", err
	}
	// Mappings are encoded in the order of their keys.
	canonical, err := json.Marshal(struct {
		Form, Chart, ReleaseName, Namespace, KubeVersion string
		IncludeCRDs, RefuseHooks                         bool
		APIVersions                                      []string `json:",omitempty"`
		Values                                           map[string]any
	}{
		identityForm, chart.String(), opts.ReleaseName, opts.Namespace, version,
		opts.IncludeCRDs, opts.Hooks == v1alpha1.RefuseHooks, distinct(opts.APIVersions), orEmpty(opts.Values),
	})
	if err != nil {
		return "", invalid("values: %w", fmt.Errorf("a value is of a type that JSON does not have"))
	}
	return digest.FromBytes(canonical).String(), nil
}

// distinct returns the texts sorted, each once.
func distinct(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

// orEmpty returns values, or an empty mapping: they render alike.
func orEmpty(values map[string]any) map[string]any {
	if values == nil {
		return map[string]any{}
	}
	return values
}
