package fetch

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// visitor is who a server has seen.
type visitor struct {
	authorization string
	certificates  int
}

// see records who asks.
func (v *visitor) see(r *http.Request) {
	v.authorization = r.Header.Get("Authorization")
	v.certificates = len(r.TLS.PeerCertificates)
}

func TestALoginAndACertificateAreShownToTheServerOfTheSource(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given httpclient.Access
		want  visitor
	}{
		"a user":        {httpclient.Access{Username: "u", Password: "hunter2"}, visitor{authorization: "Basic dTpodW50ZXIy"}},
		"a token":       {httpclient.Access{Token: "hunter2"}, visitor{authorization: "Bearer hunter2"}},
		"a certificate": {httpclient.Access{Certificate: certificate(t)}, visitor{certificates: 1}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got visitor
			server := serveMutualTLS(t, func(w http.ResponseWriter, r *http.Request) { got.see(r); respond(w, "bytes") })
			tc.given.RootCAs = trust(server)
			body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(tc.given).Open(t.Context(), https(server.URL+"/a.yaml"))
			wantBody(t, body, err, "bytes")
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(visitor{})); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALoginAndACertificateDoNotFollowARedirectToAnotherServer(t *testing.T) {
	t.Parallel()
	var got visitor
	end := serveMutualTLS(t, func(w http.ResponseWriter, r *http.Request) { got.see(r); respond(w, "bytes") })
	start := serveMutualTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, end.URL+"/a.yaml", http.StatusFound)
	})
	for name, given := range map[string]httpclient.Access{
		"a user":  {Username: "u", Password: "hunter2", Certificate: certificate(t)},
		"a token": {Token: "hunter2", Certificate: certificate(t)},
	} {
		given.RootCAs = trust(start, end)
		body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(given).Open(t.Context(), https(start.URL+"/a.yaml"))
		wantBody(t, body, err, "bytes")
		if got != (visitor{}) {
			t.Errorf("%s: want nothing shown to the other server, got %v", name, got)
		}
	}
}

func TestALoginStaysWithARedirectOnItsServer(t *testing.T) {
	t.Parallel()
	var got visitor
	server := serveMutualTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/latest.yaml" {
			http.Redirect(w, r, "/a.yaml", http.StatusFound)
			return
		}
		got.see(r)
		respond(w, "bytes")
	})
	as := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(httpclient.Access{Token: "hunter2", RootCAs: trust(server)})
	body, err := as.Open(t.Context(), https(server.URL+"/latest.yaml"))
	wantBody(t, body, err, "bytes")
	if got.authorization != "Bearer hunter2" {
		t.Errorf("want the token, got %q", got.authorization)
	}
}

func TestTheAuthoritiesOfASourceReplaceThoseOfTheSystem(t *testing.T) {
	t.Parallel()
	server := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "bytes") })
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: trust(server)})
	err := readAll(t.Context(), s.As(httpclient.Access{RootCAs: trust(), CAsFrom: "Secret ca"}),
		https(server.URL+"/a.yaml"))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, server.URL+"/a.yaml", "unknown authority",
		"it is none of those in Secret ca, key ca.crt")
	// The Sources that they were made of are as they were.
	body, err := s.Open(t.Context(), https(server.URL+"/a.yaml"))
	wantBody(t, body, err, "bytes")
}

func TestCredentialsAreNotSentWithoutTLS(t *testing.T) {
	t.Parallel()
	address := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("want no request") })
	withUser := strings.Replace(address, "://", "://hunter2:hunter2@", 1)
	tests := map[string]struct {
		given    httpclient.Access
		givenURL string
	}{
		"a user":                {httpclient.Access{Username: "hunter2", Password: "hunter2"}, address},
		"a token":               {httpclient.Access{Token: "hunter2"}, address},
		"a certificate":         {httpclient.Access{Certificate: certificate(t)}, address},
		"authorities":           {httpclient.Access{RootCAs: trust()}, address},
		"the URL's credentials": {httpclient.Access{}, withUser},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(tc.given)
			err := readAll(t.Context(), s, https(tc.givenURL+"/a.yaml"))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, address+"/a.yaml: ", "use an https URL")
		})
	}
}

func TestCredentialsInTheURLAndBesideItAreRefused(t *testing.T) {
	t.Parallel()
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(httpclient.Access{Token: "hunter2"})
	err := readAll(t.Context(), s, https("https://hunter2:hunter2@example.org/a.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason,
		"https://example.org/a.yaml: there are credentials in the url beside those of secretRef")
}

func TestAServerThatDeniesAccessNamesTheSecret(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given       httpclient.Access
		givenStatus int
		want        string
	}{
		"a token that is refused": {
			httpclient.Access{Token: "hunter2", From: "Secret web-login"}, 401,
			"401 Unauthorized: it refuses the credentials of Secret web-login, key token",
		},
		"a login that is refused": {
			httpclient.Access{Username: "jane", Password: "hunter2", From: "Secret web-login"}, 403,
			"403 Forbidden: it refuses the credentials of Secret web-login, keys username and password",
		},
		"a client certificate that is refused": {
			httpclient.Access{Certificate: &tls.Certificate{}, From: "Secret web-login"}, 403,
			"403 Forbidden: it refuses the credentials of Secret web-login, keys tls.crt and tls.key",
		},
		"no credentials": {httpclient.Access{}, 403, "403 Forbidden: it may need credentials, which secretRef names"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.givenStatus) })
			tc.given.RootCAs = trust(server)
			err := readAll(t.Context(), sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).As(tc.given), https(server.URL+"/a.yaml"))
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered "+tc.want)
		})
	}
}

// certificate returns a certificate and its key: those of any test server.
func certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	return &serveTLS(t, func(http.ResponseWriter, *http.Request) {}).TLS.Certificates[0]
}

// serveMutualTLS is serveTLS for a server that asks for a client certificate.
func serveMutualTLS(t *testing.T, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
