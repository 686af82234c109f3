package helm

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// identityForm changes when the same input may render to other bytes: with a new
// Helm library, or with other rules in this package.
const identityForm = "helm-4.2/4"

// Identity returns a sha256 over everything that the output of Render depends on:
// the digest of the chart archive, the values, the minor version of Kubernetes, the
// API versions, and the other options. It fails only for a KubeVersion that cannot
// be parsed and for values that are no JSON, which Values does not return.
func Identity(chart digest.Digest, opts Options) (string, error) {
	version, err := minorVersion(opts.KubeVersion)
	if err != nil {
		return "", err
	}
	canonical, err := json.Marshal(struct {
		Form, Chart, ReleaseName, Namespace, KubeVersion string
		IncludeCRDs, RefuseHooks                         bool
		APIVersions                                      []string `json:",omitempty"`
		Values                                           json.RawMessage
		Random                                           Random `json:",omitempty"`
	}{
		identityForm, chart.String(), opts.ReleaseName, opts.Namespace, version,
		opts.IncludeCRDs, opts.Hooks == v1alpha1.RefuseHooks, distinct(opts.APIVersions), orEmpty(opts.Values), opts.Random,
	})
	if err != nil {
		return "", errNotJSON
	}
	return digest.FromBytes(canonical).String(), nil
}

var errNotJSON = invalid("values: not JSON")

// clusterForm begins what ClusterIdentity hashes. Nothing but the end of this format
// may change it: every Cluster would get other certificates.
const clusterForm = "cluster/1"

// ClusterIdentity returns a sha256 over what a rendering with TrueRandom is made anew
// for: the digest of the chart archive, the values and the options, as they are written
// in the source. The version of Kubernetes and this package are not among it: neither an
// upgrade of a cluster nor one of this program is a reason for other certificates. Its
// errors are those of Identity.
func ClusterIdentity(chart digest.Digest, opts Options) (string, error) {
	canonical, err := json.Marshal(struct {
		Form, Chart, ReleaseName, Namespace string
		IncludeCRDs, RefuseHooks            bool
		APIVersions                         []string
		Values                              json.RawMessage
	}{
		clusterForm, chart.String(), opts.ReleaseName, opts.Namespace,
		opts.IncludeCRDs, opts.Hooks == v1alpha1.RefuseHooks, distinct(opts.APIVersions), orEmpty(opts.Values),
	})
	if err != nil {
		return "", errNotJSON
	}
	return digest.FromBytes(canonical).String(), nil
}

// minorVersion returns the version with 0 in place of everything below the minor one.
func minorVersion(kubernetes string) (string, error) {
	v, err := version.ParseGeneric(kubernetes)
	if err != nil {
		return "", fault.Stallf(v1alpha1.ConstraintInvalidReason,
			"%s is no version of Kubernetes", text.Quote(kubernetes, maxNameText))
	}
	return fmt.Sprintf("v%d.%d.0", v.Major(), v.Minor()), nil
}

// distinct returns the texts sorted, each once.
func distinct(texts []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(texts)))
}

// orEmpty returns values, or an empty mapping: they render alike.
func orEmpty(values json.RawMessage) json.RawMessage {
	if len(values) == 0 {
		return json.RawMessage("{}")
	}
	return values
}
