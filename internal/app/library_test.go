package app

import (
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

// TestRegistriesBehindAProxyAreDeniedAsFilesAre has a proxy that nobody answers at: what
// is denied is known before it is asked.
func TestRegistriesBehindAProxyAreDeniedAsFilesAre(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://192.0.2.1:1")
	opts := DefaultOptions()
	opts.Sources.ConnectTimeout = 100 * time.Millisecond
	files, err := newFetcher(opts)
	if err != nil {
		t.Fatal(err)
	}
	registries, err := newRegistries(opts, files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = registries.Resolve(t.Context(), oci.Reference{Repository: "169.254.169.254/a", Tag: "v1"}, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "the address 169.254.169.254 is denied")
}
