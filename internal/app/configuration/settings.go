package configuration

import (
	"net/netip"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/library"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// Settings are what a file says, and the defaults for what it leaves out.
type Settings struct {
	// Denied and Allowed are where nothing is fetched from, and the exceptions to what is
	// denied in any case. TokenServers are private addresses of token servers.
	Denied, Allowed, TokenServers []netip.Prefix
	// Mirrors of registries.
	Mirrors []oci.Mirror
	// Signers are who has to have signed; nil where nobody has to.
	Signers *signature.Signers
	// SecretTypes are those that a source may name.
	SecretTypes source.SecretTypes
	// BundleBytes, CompressionRatio and Objects bound a release.
	BundleBytes, CompressionRatio int64
	Objects                       int
	// Concurrency is how much is done at once.
	Concurrency library.Concurrency
	// Rendering is how many charts and kustomizations are rendered at once.
	Rendering int
}

// Defaults returns the settings of a file that says nothing.
func Defaults() Settings {
	return Settings{
		SecretTypes: source.DefaultSecretTypes(),
		BundleBytes: 512 << 20, CompressionRatio: 200, Objects: 10_000,
		Concurrency: library.DefaultConcurrency(),
		Rendering:   child.DefaultConfig().AtOnce,
	}
}
