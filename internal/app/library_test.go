package app

import (
	"crypto/x509"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/app/configuration"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

// TestRegistriesBehindAProxyAreDeniedAsFilesAre has a proxy that nobody answers at: what
// is denied is known before it is asked.
func TestRegistriesBehindAProxyAreDeniedAsFilesAre(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://192.0.2.1:1")
	opts := DefaultOptions()
	opts.Sources.ConnectTimeout = 100 * time.Millisecond
	settings := configuration.Defaults()
	files, err := newFetcher(opts, settings)
	if err != nil {
		t.Fatal(err)
	}
	registries, err := newRegistries(opts, settings, files)
	if err != nil {
		t.Fatal(err)
	}
	_, err = registries.Resolve(t.Context(), oci.Reference{Repository: "169.254.169.254/a", Tag: "v1"}, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "the address 169.254.169.254 is denied")
}

// TestPrivateTokenServersAreThoseOfTheConfiguration has a registry whose token server is at an
// address that nobody has.
func TestPrivateTokenServersAreThoseOfTheConfiguration(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://10.255.255.1:1/"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(r.CA())
	for cidr, want := range map[string]string{"10.0.0.0/8": v1alpha1.FetchFailedReason, "10.0.0.0/16": v1alpha1.SourceDeniedReason} {
		opts := DefaultOptions()
		opts.Sources.ConnectTimeout = 100 * time.Millisecond
		settings := configuration.Defaults()
		settings.Allowed = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		settings.TokenServers = []netip.Prefix{netip.MustParsePrefix(cidr)}
		files, err := newFetcher(opts, settings)
		if err != nil {
			t.Fatal(err)
		}
		registries, err := newRegistries(opts, settings, files)
		if err != nil {
			t.Fatal(err)
		}
		_, err = registries.Resolve(t.Context(), oci.Reference{Repository: r.Host() + "/a", Tag: "v1"}, oci.Credentials{RootCAs: roots})
		if got := fault.ReasonOf(err, ""); got != want {
			t.Errorf("%s: want %s, got %v", cidr, want, err)
		}
	}
}
