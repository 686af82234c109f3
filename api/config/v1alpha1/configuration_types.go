package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// GroupVersion of the file.
var GroupVersion = schema.GroupVersion{Group: "config.addons.cluster.x-k8s.io", Version: "v1alpha1"}

// ManagerConfiguration configures a manager while it runs. Every field may be left out:
// then its default holds.
// +kubebuilder:object:root=true
type ManagerConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	// addresses says where nothing is fetched from, and the exceptions.
	Addresses Addresses `json:"addresses,omitzero"`
	// registries says where artifacts are looked for.
	Registries Registries `json:"registries,omitzero"`
	// signatures says who has to have signed.
	Signatures Signatures `json:"signatures,omitzero"`
	// secretTypes are the types of the Secrets that a source may name without the label
	// addons.cluster.x-k8s.io/source.
	SecretTypes SecretTypes `json:"secretTypes,omitzero"`
	// limits bound what a bundle may be. Crossing one is an error.
	Limits Limits `json:"limits,omitzero"`
	// concurrency is how much is done at once.
	Concurrency Concurrency `json:"concurrency,omitzero"`
}

// Addresses are prefixes of IPv4 or IPv6, such as 10.0.0.0/8 or fd00::/8, at most 256 of
// each kind.
type Addresses struct {
	// denied are addresses that nothing is fetched from, beside loopback, link-local and the
	// metadata services of clouds.
	Denied []string `json:"denied,omitempty"`
	// allowed are exceptions to what is denied without denied, for registries on the same
	// host: every Bundle may name what is there.
	Allowed []string `json:"allowed,omitempty"`
	// tokenServers are private addresses that the token server of a registry may have unless
	// it is on the registry's own host.
	TokenServers []string `json:"tokenServers,omitempty"`
}

// Registries says where artifacts are looked for.
type Registries struct {
	// mirrors are asked before a registry. Of those that fit, the one with the longest prefix
	// is used. At most 256.
	Mirrors []Mirror `json:"mirrors,omitempty"`
}

// Mirror names further servers of repositories.
type Mirror struct {
	// prefix is a registry, perhaps with the first elements of a path, such as ghcr.io or
	// ghcr.io/example.
	Prefix string `json:"prefix"`
	// endpoints are tried in this order before the registry itself. Each replaces the prefix.
	// Without a scheme it is https. 1 to 16.
	Endpoints []string `json:"endpoints"`
	// ca holds the authorities in PEM that the endpoints are verified with. Default: those of
	// the system.
	CA string `json:"ca,omitempty"`
}

// Signatures says who has to have signed.
type Signatures struct {
	// required refuses every source that is not an artifact of a registry that one of the
	// signers signed. Default: false.
	Required bool `json:"required,omitempty"`
	// signers are who is trusted. They go with required. 1 to 64.
	Signers []Signer `json:"signers,omitempty"`
}

// Signer is who is trusted, by keys or by identities.
type Signer struct {
	// repositories are those that it may sign for, and those below. Default: all.
	Repositories []string `json:"repositories,omitempty"`
	// namespaces are those of the Bundles that may name what it signed. Default: all.
	Namespaces []string `json:"namespaces,omitempty"`
	// keys are public keys in PEM. The signature of any of them is good.
	Keys string `json:"keys,omitempty"`
	// identities are who may sign keyless. They need trustedRoot.
	Identities []v1alpha1.Identity `json:"identities,omitempty"`
	// trustedRoot is the trusted root of the Sigstore instance in JSON.
	TrustedRoot string `json:"trustedRoot,omitempty"`
}

// SecretTypes are the types of Secrets by what they are read for. An empty list leaves
// those with the label.
type SecretTypes struct {
	// servers are for logins, client certificates and authorities. Default:
	// kubernetes.io/dockerconfigjson, kubernetes.io/basic-auth and kubernetes.io/tls.
	Servers []string `json:"servers,omitzero"`
	// values are for the values of charts. Default: addons.cluster.x-k8s.io/resource-set.
	Values []string `json:"values,omitzero"`
	// publicKeys are for public keys of signatures, and nothing else of them is read.
	// Default: Opaque.
	PublicKeys []string `json:"publicKeys,omitzero"`
}

// Limits bound what a bundle may be.
type Limits struct {
	// bundleSize is that of all sources of a release together, unpacked. Default: 512Mi.
	BundleSize *resource.Quantity `json:"bundleSize,omitempty"`
	// compressionRatio is how many times larger than its compressed form a source may be.
	// Default: 200.
	CompressionRatio *int64 `json:"compressionRatio,omitempty"`
	// objects of one release. Default: 10000.
	Objects *int64 `json:"objects,omitempty"`
}

// Concurrency is how much is done at once.
type Concurrency struct {
	// resolving is for sources that are looked up: tags, charts. Default: 32, and 8 for each
	// namespace.
	Resolving Share `json:"resolving,omitzero"`
	// downloading is for downloads. Default: 64, and 8 for each namespace.
	Downloading Share `json:"downloading,omitzero"`
	// indexing is for what was downloaded, and takes processors. Default: 8, and 4 for each
	// namespace.
	Indexing Share `json:"indexing,omitzero"`
	// rendering is how many charts and kustomizations are rendered, at most 16, each for
	// another namespace and in 512 MiB of the pod's memory. Default: 2.
	Rendering *int64 `json:"rendering,omitempty"`
}

// Share is how much is done at once, 1 to 1024.
type Share struct {
	// total is for all namespaces together.
	Total *int64 `json:"total,omitempty"`
	// perNamespace is for each namespace.
	PerNamespace *int64 `json:"perNamespace,omitempty"`
}
