package oci_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

// credentials returns those of a Secret with the given keys for a registry.
func credentials(t *testing.T, r *ocitest.Registry, keys map[string]string) oci.Credentials {
	t.Helper()
	secret := map[string][]byte{"ca.crt": r.CA()}
	for key, value := range keys {
		secret[key] = []byte(value)
	}
	creds, err := oci.CredentialsFrom(r.Host(), "Opaque", secret)
	if err != nil {
		t.Fatal(err)
	}
	return creds
}

func tlsRef(r *ocitest.Registry) oci.Reference {
	return oci.Reference{Repository: r.Host() + "/bundles/calico", Tag: "1.0.0"}
}

func TestARegistryIsToldWhoWeAre(t *testing.T) {
	t.Parallel()
	login := map[string]string{"username": "jane", "password": "hunter2"}
	tests := map[string]struct {
		given     ocitest.Options
		givenKeys map[string]string
		wantToken int
	}{
		"nobody in particular":    {given: ocitest.Options{}},
		"a user":                  {given: ocitest.Options{Username: "jane", Password: "hunter2"}, givenKeys: login},
		"a token without a login": {given: ocitest.Options{Bearer: true}, wantToken: 1},
		"a token for a user": {
			given: ocitest.Options{Bearer: true, Username: "jane", Password: "hunter2"}, givenKeys: login, wantToken: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.given.TLS = true
			r := ocitest.New(t, tc.given)
			r.Push(t, "bundles/calico", artifact(), "1.0.0")
			creds := oci.Credentials{RootCAs: credentials(t, r, map[string]string{"username": "x", "password": "x"}).RootCAs}
			if tc.givenKeys != nil {
				creds = credentials(t, r, tc.givenKeys)
			}
			c := client(t, oci.Config{})
			got, err := pull(t, c, tlsRef(r), creds)
			wantPulled(t, got, err)
			if n := count(r.Requests(), "GET /token"); n != tc.wantToken {
				t.Errorf("want %d tokens for three requests, got %d", tc.wantToken, n)
			}
			if c.Sessions() != 1 {
				t.Errorf("want one session, got %d", c.Sessions())
			}
		})
	}
}

func TestATokenThatExpiresIsFetchedAgain(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true, Username: "jane", Password: "hunter2"})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
	c := client(t, oci.Config{})
	for range 2 {
		got, err := pull(t, c, tlsRef(r), creds)
		wantPulled(t, got, err)
		r.Revoke()
	}
	if n := count(r.Requests(), "GET /token"); n != 2 {
		t.Errorf("want 2 tokens, got %d", n)
	}
}

func TestAnIdentityTokenIsExchanged(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true, Username: "x", Password: "x", IdentityToken: "hunter2"})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	config := fmt.Sprintf(`{"auths":{%q:{"identitytoken":"hunter2"}}}`, r.Host())
	creds, err := oci.CredentialsFrom(r.Host(), "kubernetes.io/dockerconfigjson",
		map[string][]byte{".dockerconfigjson": []byte(config), "ca.crt": r.CA()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
	wantPulled(t, got, err)
	if n := count(r.Requests(), "POST /token"); n != 1 {
		t.Errorf("want one exchange, got %q", r.Requests())
	}
}

func TestATokenOfTheRegistryIsSentAsItIs(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Authorization") == "Bearer hunter2" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://192.0.2.1/token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	got, err := pull(t, client(t, oci.Config{}), tlsRef(r), credentials(t, r, map[string]string{"token": "hunter2\n"}))
	wantPulled(t, got, err)
}

func TestCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{"username": "jane", "password": "hunter2-wrong"}
	tests := map[string]struct {
		given     ocitest.Options
		givenKeys map[string]string
		want      []string
	}{
		"wrong ones": {
			given:     ocitest.Options{Username: "jane", Password: "right"},
			givenKeys: wrong, want: []string{"the registry refused the credentials (401 Unauthorized)"},
		},
		"wrong ones at the token server": {
			given:     ocitest.Options{Bearer: true, Username: "jane", Password: "right"},
			givenKeys: wrong, want: []string{"the token server https://", "refused the credentials (401 Unauthorized)"},
		},
		"none": {
			given: ocitest.Options{Username: "jane", Password: "right"},
			want:  []string{"the registry requires credentials (401 Unauthorized)", "secretRef"},
		},
		"none at the token server": {
			given: ocitest.Options{Bearer: true, Username: "jane", Password: "right"},
			want:  []string{"the token server https://", "requires credentials (401 Unauthorized)", "secretRef"},
		},
		"a token where a login is wanted": {
			given:     ocitest.Options{Username: "jane", Password: "right"},
			givenKeys: map[string]string{"token": "hunter2"},
			want:      []string{"the registry refused the credentials (401 Unauthorized)"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.given.TLS = true
			r := ocitest.New(t, tc.given)
			r.Push(t, "bundles/calico", artifact(), "1.0.0")
			creds := oci.Credentials{RootCAs: credentials(t, r, wrong).RootCAs}
			if tc.givenKeys != nil {
				creds = credentials(t, r, tc.givenKeys)
			}
			_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, append(tc.want, r.Host()+"/bundles/calico:1.0.0: ")...)
		})
	}
}

func TestCredentialsThatStopWorkingAndOthersThatWork(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true, Username: "jane", Password: "hunter2"})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	good := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
	bad := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2-old"})
	c := client(t, oci.Config{})
	got, err := pull(t, c, tlsRef(r), good)
	wantPulled(t, got, err)

	// The token of the good ones is not given to the bad ones.
	_, err = pull(t, c, tlsRef(r), bad)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "refused the credentials")
	_, err = pull(t, c, tlsRef(r), oci.Credentials{RootCAs: good.RootCAs})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "requires credentials")

	r.Revoke()
	got, err = pull(t, c, tlsRef(r), good)
	wantPulled(t, got, err)
}

func TestTokenServersThatAreNotUsed(t *testing.T) {
	t.Parallel()
	// What the registry itself may send: its own addresses are not those of its token server.
	beside := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("want no request to a token server that is not used")
	}))
	t.Cleanup(beside.Close)
	const denied = "the registry names a token server that is not used: it is no URL, it has no TLS, or it has a private address"
	tests := map[string]string{
		"one without TLS":                  `Bearer realm="http://192.0.2.1/hunter2"`,
		"one with a user":                  `Bearer realm="https://u:hunter2@192.0.2.1/"`,
		"none":                             `Bearer service="hunter2"`,
		"no host":                          `Bearer realm="/token"`,
		"not a URL":                        `Bearer realm="https://%zz hunter2"`,
		"a file":                           `Bearer realm="file:///etc/passwd"`,
		"half a one":                       `Bearer realm="https://192`,
		"loopback by a name":               `Bearer realm="` + strings.Replace(beside.URL, "127.0.0.1", "localhost", 1) + `"`,
		"loopback mapped to IPv6":          `Bearer realm="` + strings.Replace(beside.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1) + `"`,
		"a service of the network":         `Bearer realm="https://10.96.0.1/api"`,
		"a service of the network, NAT64":  `Bearer realm="https://[64:ff9b::a60:1]/api"`,
		"another, of carriers":             `Bearer realm="https://100.64.0.1/"`,
		"another, of IPv6":                 `Bearer realm="https://[fd12::1]/"`,
		"the metadata of a cloud":          `Bearer realm="https://169.254.169.254/latest"`,
		"the metadata of a cloud, of IPv6": `Bearer realm="https://[fd00:ec2::254]/latest"`,
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := challenging(t, given)
			creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
			_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, denied)
		})
	}
}

// challenging is a registry that answers every request with a challenge.
func challenging(t *testing.T, challenge string) *ocitest.Registry {
	t.Helper()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	return r
}

func TestChallengesThatAreNone(t *testing.T) {
	t.Parallel()
	for _, given := range []string{"", "Negotiate", `Digest realm="a"`} {
		r := challenging(t, given)
		creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
		_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "refused the credentials")
	}
}

// TestAPrivateTokenServerIsUsedIfTheOperatorSaysSo has a registry under a public name and
// its token server on a private address.
func TestAPrivateTokenServerIsUsedIfTheOperatorSaysSo(t *testing.T) {
	t.Parallel()
	for cidr, want := range map[string]bool{"127.0.0.0/8": true, "127.0.0.1/32": true, "10.0.0.0/8": false, "127.0.0.2/32": false} {
		r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true, Username: "jane", Password: "hunter2"})
		r.Push(t, "bundles/calico", artifact(), "1.0.0")
		creds := credentials(t, r, nil)
		creds.Logins = []oci.Login{{Prefix: "example.com", Username: "jane", Password: "hunter2"}}
		c := client(t, oci.Config{
			Settings: oci.Settings{TokenCIDRs: []netip.Prefix{netip.MustParsePrefix(cidr)}},
			Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, strings.Replace(address, "example.com:443", r.Host(), 1))
			},
		})
		got, err := pull(t, c, oci.Reference{Repository: "example.com/bundles/calico", Tag: "1.0.0"}, creds)
		if want {
			wantPulled(t, got, err)
			continue
		}
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "addresses.tokenServers")
		if n := count(r.Requests(), "GET /token"); n > 0 {
			t.Errorf("%s: want no login sent to the token server, got %d requests", cidr, n)
		}
	}
}

func TestAnswersOfATokenServerThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenStatus int
		given       string
		wantClass   fault.Class
		wantReason  string
		wantText    string
	}{
		"not JSON":    {200, secret, fault.ClassRetry, v1alpha1.FetchFailedReason, "no token"},
		"no token":    {200, `{}`, fault.ClassRetry, v1alpha1.FetchFailedReason, "no token"},
		"a bad token": {200, `{"token":"hunter2\r\nX: y"}`, fault.ClassRetry, v1alpha1.FetchFailedReason, "no token"},
		"too much": {
			200, strings.Repeat(" ", 200_000), fault.ClassStall, v1alpha1.LimitExceededReason, "larger than the limit",
		},
		"an error":       {500, secret, fault.ClassRetry, v1alpha1.FetchFailedReason, "500 Internal Server Error"},
		"leave me alone": {429, secret, fault.ClassWait, v1alpha1.ThrottledReason, "429 Too Many Requests"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true})
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path != "/token" {
					return false
				}
				w.WriteHeader(tc.givenStatus)
				_, _ = io.WriteString(w, tc.given)
				return true
			})
			creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
			_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, "token server https://"+r.Host()+": ", tc.wantText)
		})
	}
}

func TestATokenServerMayBeElsewhere(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	beyond := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		leaked.Store(leaked.Load() || req.Header.Get("Authorization") != "")
		_, _ = io.WriteString(w, `{"access_token":"issued"}`)
	}))
	t.Cleanup(beyond.Close)
	tests := map[string]struct {
		given func(w http.ResponseWriter, req *http.Request)
	}{
		"and give the token itself": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"token":"issued"}`)
		}},
		"and lead on, but not with the login": {func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, beyond.URL, http.StatusFound)
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if user, password, _ := req.BasicAuth(); user != "jane" || password != "hunter2" ||
					req.URL.Query().Get("scope") != "repository:bundles/calico:pull" {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				tc.given(w, req)
			}))
			t.Cleanup(server.Close)
			r := ocitest.New(t, ocitest.Options{TLS: true})
			r.Push(t, "bundles/calico", artifact(), "1.0.0")
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				if req.Header.Get("Authorization") == "Bearer issued" {
					return false
				}
				w.Header().Add("WWW-Authenticate", `Basic realm="not this one"`)
				w.Header().Add("WWW-Authenticate", `Bearer realm="`+server.URL+`/auth"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			})
			creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
			creds.RootCAs.AddCert(server.Certificate())
			creds.RootCAs.AddCert(beyond.Certificate())
			got, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
			wantPulled(t, got, err)
			if leaked.Load() {
				t.Error("want the login at the token server only")
			}
		})
	}
}

func TestATokenServerThatDoesNotEndItsAnswer(t *testing.T) {
	t.Parallel()
	good := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"token":"issued"}`)
	}))
	t.Cleanup(good.Close)
	tests := map[string]struct {
		given func(w http.ResponseWriter)
		want  string // empty if the artifact is pulled
	}{
		"with a token": {
			func(w http.ResponseWriter) { _, _ = io.WriteString(w, `{"tok`) }, "the server stopped sending: no byte for 1s",
		},
		"with a redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", good.URL)
			w.Header().Set("Content-Length", "1000")
			w.WriteHeader(http.StatusFound)
		}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			endless := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				tc.given(w)
				_ = http.NewResponseController(w).Flush()
				<-req.Context().Done()
			}))
			t.Cleanup(endless.Close)
			r := ocitest.New(t, ocitest.Options{TLS: true})
			r.Push(t, "bundles/calico", artifact(), "1.0.0")
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				if req.Header.Get("Authorization") == "Bearer issued" {
					return false
				}
				w.Header().Set("WWW-Authenticate", `Bearer realm="`+endless.URL+`/auth"`)
				w.WriteHeader(http.StatusUnauthorized)
				return true
			})
			creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
			creds.RootCAs.AddCert(good.Certificate())
			creds.RootCAs.AddCert(endless.Certificate())
			got, err := pull(t, client(t, oci.Config{StallTimeout: time.Second, DownloadTimeout: 20 * time.Second}), tlsRef(r), creds)
			if tc.want == "" {
				wantPulled(t, got, err)
				return
			}
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "token server "+endless.URL, tc.want)
		})
	}
}

func TestATokenServerThatCannotBeReached(t *testing.T) {
	t.Parallel()
	closed := httptest.NewTLSServer(nil)
	closed.Close()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer realm="`+closed.URL+`/auth?x=hunter2"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
	_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason,
		r.Host()+"/bundles/calico:1.0.0: token server "+closed.URL+": connect: connection refused")
}

func TestTheRegistryIsVerified(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	c := client(t, oci.Config{})
	_, err := pull(t, c, tlsRef(r), oci.Credentials{RootCAs: x509.NewCertPool()})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "unknown authority")
	got, err := pull(t, c, tlsRef(r), credentials(t, r, map[string]string{"username": "x", "password": "x"}))
	wantPulled(t, got, err)
}

func TestAClientCertificateIsShown(t *testing.T) {
	t.Parallel()
	certificate, key, roots := clientCertificate(t)
	r := ocitest.New(t, ocitest.Options{TLS: true, ClientCAs: roots})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	c := client(t, oci.Config{})
	creds := credentials(t, r, map[string]string{"tls.crt": certificate, "tls.key": key})
	got, err := pull(t, c, tlsRef(r), creds)
	wantPulled(t, got, err)

	creds.ClientCertificate = nil
	_, err = pull(t, c, tlsRef(r), creds)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "certificate required")
}

// clientCertificate returns a certificate for clients and its key in PEM, and
// its authority, which is itself.
func clientCertificate(t *testing.T) (certificate, key string, roots *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "client"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(parsed)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})), roots
}

func TestAnExpiredCertificateIsNamedWithoutItsTime(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	creds := credentials(t, r, map[string]string{"username": "x", "password": "x"})
	r.Server.TLS.Certificates = []tls.Certificate{expired(t)}
	pool := x509.NewCertPool()
	pool.AddCert(r.Server.TLS.Certificates[0].Leaf)
	creds.RootCAs = pool
	_, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, ": the certificate has expired or is not yet valid")
}

func expired(t *testing.T) tls.Certificate {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

func TestRequestsGoThroughTheProxy(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	var connects atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodConnect || req.Host != "example.com:443" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		connects.Add(1)
		tunnel(w, r.Host())
	}))
	t.Cleanup(proxy.Close)
	c := client(t, oci.Config{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy.URL) }})
	pool := x509.NewCertPool()
	pool.AddCert(r.Server.Certificate()) // which is for example.com too

	ref := oci.Reference{Repository: "example.com/bundles/calico", Tag: "1.0.0"}
	got, err := pull(t, c, ref, oci.Credentials{RootCAs: pool})
	wantPulled(t, got, err)
	if connects.Load() != 1 {
		t.Errorf("want one CONNECT for all requests, got %d", connects.Load())
	}
}

func TestPlainRequestsGoThroughTheProxy(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	c := client(t, oci.Config{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(r.Server.URL) }})
	ref := oci.Reference{Repository: "registry.invalid/bundles/calico", Tag: "1.0.0", Insecure: true}
	got, err := pull(t, c, ref, oci.Credentials{})
	wantPulled(t, got, err)
	if len(r.Requests()) != 3 {
		t.Errorf("want three requests, got %q", r.Requests())
	}
}

// tunnel joins the client of w with a host.
func tunnel(w http.ResponseWriter, host string) {
	there, err := net.Dial("tcp", host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	// The server reads ahead: what it has read is in buffered and not in here.
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	if _, err := io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() { _, _ = io.Copy(there, buffered) }()
	_, _ = io.Copy(here, there)
}

func TestAddressesThatAreDenied(t *testing.T) {
	t.Parallel()
	denied := fault.Stall(v1alpha1.SourceDeniedReason, errors.New("the address is denied"))
	c := client(t, oci.Config{Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: denied}
	}})
	_, err := c.Resolve(t.Context(), oci.Reference{Repository: "registry.invalid/a", Tag: "1"}, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "registry.invalid/a:1: the address is denied")
}

func TestTheOldestSessionIsForgotten(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	c := client(t, oci.Config{})
	for i := range 70 {
		creds := credentials(t, r, map[string]string{"username": fmt.Sprint(i), "password": "x"})
		if _, err := c.Resolve(t.Context(), tlsRef(r), creds); err != nil {
			t.Fatal(err)
		}
	}
	if c.Sessions() != 64 {
		t.Errorf("want 64 sessions, got %d", c.Sessions())
	}
}

func TestNewRefusesBoundsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*oci.Config){
		"a negative manifest": func(cfg *oci.Config) { cfg.MaxManifest = -1 },
		"no manifest":         func(cfg *oci.Config) { cfg.MaxManifest = 0 },
		"negative tags":       func(cfg *oci.Config) { cfg.MaxTags = -1 },
		"no tags":             func(cfg *oci.Config) { cfg.MaxTags = 0 },
		"negative throughput": func(cfg *oci.Config) { cfg.MinThroughput = -1 },
		"negative redirects":  func(cfg *oci.Config) { cfg.MaxRedirects = -1 },
		"a negative connect":  func(cfg *oci.Config) { cfg.ConnectTimeout = -1 },
		"no connect":          func(cfg *oci.Config) { cfg.ConnectTimeout = 0 },
		"a negative header":   func(cfg *oci.Config) { cfg.HeaderTimeout = -1 },
		"no header":           func(cfg *oci.Config) { cfg.HeaderTimeout = 0 },
		"a negative stall":    func(cfg *oci.Config) { cfg.StallTimeout = -1 },
		"no stall":            func(cfg *oci.Config) { cfg.StallTimeout = 0 },
		"a negative download": func(cfg *oci.Config) { cfg.DownloadTimeout = -1 },
		"no download":         func(cfg *oci.Config) { cfg.DownloadTimeout = 0 },
		"no way to dial":      func(cfg *oci.Config) { cfg.Dial = nil },
		"no user agent":       func(cfg *oci.Config) { cfg.UserAgent = "" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := dialing(oci.DefaultConfig())
			if _, err := oci.New(given); err != nil {
				t.Fatalf("want the defaults to be valid, got %v", err)
			}
			change(&given)
			if _, err := oci.New(given); err == nil {
				t.Error("want an error")
			}
		})
	}
}

// dialing returns cfg with a way to connect to any address.
func dialing(cfg oci.Config) oci.Config {
	cfg.Dial = (&net.Dialer{}).DialContext
	return cfg
}

func TestNoRedirectIsFollowedWhenNoneIsAllowed(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		return true
	})
	cfg := dialing(oci.DefaultConfig())
	cfg.MaxRedirects = 0
	c, err := oci.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pull(t, c, plainRef(r, "a", "1"), oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than 0 redirects")
	if len(r.Requests()) != 1 {
		t.Errorf("want one request, got %q", r.Requests())
	}
}
