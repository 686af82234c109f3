package ocitest

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Options configure what a Registry asks of its clients. The zero value is plain HTTP
// without a login.
type Options struct {
	// TLS is true for a registry with a certificate of its own: see Registry.CA.
	TLS bool

	// ClientCAs, if not nil, are the authorities of the client certificates that
	// the registry demands. It needs TLS.
	ClientCAs *x509.CertPool

	// Username and Password are the login. Without them everyone may read.
	Username, Password string

	// Bearer is true for a registry that takes tokens of its token server, which
	// wants the login; else it takes the login itself.
	Bearer bool

	// IdentityToken is taken by the token server in place of a login.
	IdentityToken string

	// Referrers is true for a registry that knows the referrers API.
	Referrers bool

	// ReferrersPage, if not zero, is how many referrers the API lists in a page.
	ReferrersPage int
}

// Registry is a registry in the process.
type Registry struct {
	// Server that listens.
	Server *httptest.Server

	opts  Options
	inner http.Handler

	mu        sync.Mutex
	requests  []string
	intercept func(http.ResponseWriter, *http.Request) bool
	token     string
	issued    int
}

// New returns a registry that is stopped when the test ends.
func New(t *testing.T, opts Options) *Registry {
	t.Helper()
	r := &Registry{opts: opts, inner: registry.New(
		registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(opts.Referrers))}
	r.Server = httptest.NewUnstartedServer(r)
	r.Server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if opts.ClientCAs != nil {
		r.Server.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: opts.ClientCAs}
	}
	if opts.TLS {
		r.Server.StartTLS()
	} else {
		r.Server.Start()
	}
	t.Cleanup(r.Server.Close)
	return r
}

// Host returns the host and the port of the registry.
func (r *Registry) Host() string {
	u, err := url.Parse(r.Server.URL)
	if err != nil {
		panic(err) // it is the server's own
	}
	return u.Host
}

// CA returns the certificate of the registry, which is its own authority, in PEM.
func (r *Registry) CA() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: r.Server.Certificate().Raw})
}

// Intercept calls f before every request from now on. A request for which f
// returns true is answered.
func (r *Registry) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept = f
}

// Requests returns the method and the path of every request of clients so far,
// and the Range if there is one.
func (r *Registry) Requests() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Revoke makes the registry refuse the tokens that were issued so far.
func (r *Registry) Revoke() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = ""
}

// Push puts an artifact into a repository, under its digest and the given tags.
func (r *Registry) Push(t *testing.T, repository string, a Artifact, tags ...string) {
	t.Helper()
	for _, d := range slices.Sorted(maps.Keys(a.Blobs)) {
		r.put(t, http.MethodPost, fmt.Sprintf("/v2/%s/blobs/uploads/?digest=%s", repository, d), "", a.Blobs[d])
	}
	for _, name := range append([]string{a.Digest().String()}, tags...) {
		r.put(t, http.MethodPut, fmt.Sprintf("/v2/%s/manifests/%s", repository, name), a.MediaType, a.Manifest)
	}
}

func (r *Registry) put(t *testing.T, method, path, mediaType string, content []byte) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(content))
	req.Header.Set("Content-Type", mediaType)
	w := httptest.NewRecorder()
	r.inner.ServeHTTP(w, req)
	if w.Code >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

// ServeHTTP answers a client.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, strings.TrimSpace(req.Method+" "+req.URL.Path+" "+req.Header.Get("Range")))
	intercept := r.intercept
	r.mu.Unlock()
	switch {
	case intercept != nil && intercept(w, req):
	case req.URL.Path == "/token":
		r.issue(w, req)
	case r.lets(req) && r.opts.ReferrersPage > 0 && strings.Contains(req.URL.Path, "/referrers/"):
		r.page(w, req)
	case r.lets(req):
		r.inner.ServeHTTP(w, req)
	default:
		w.Header().Set("WWW-Authenticate", r.challenge(req.URL.Path))
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// page answers with one page of referrers and a link to the next one.
func (r *Registry) page(w http.ResponseWriter, req *http.Request) {
	whole := httptest.NewRecorder()
	r.inner.ServeHTTP(whole, req)
	var index ocispec.Index
	_ = json.Unmarshal(whole.Body.Bytes(), &index)
	slices.SortFunc(index.Manifests, func(a, b ocispec.Descriptor) int { return cmp.Compare(a.Digest, b.Digest) })
	from, _ := strconv.Atoi(req.FormValue("from"))
	to := from + r.opts.ReferrersPage
	if to < len(index.Manifests) {
		w.Header().Set("Link", fmt.Sprintf(`<%s?from=%d>; rel="next"`, req.URL.Path, to))
	}
	index.Manifests = index.Manifests[min(from, len(index.Manifests)):min(to, len(index.Manifests))]
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(index)
}

// lets reports whether a request carries the required authorization.
func (r *Registry) lets(req *http.Request) bool {
	if !r.opts.Bearer {
		return r.opts.Username == "" || r.knows(req)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.token != "" && req.Header.Get("Authorization") == "Bearer "+r.token
}

func (r *Registry) knows(req *http.Request) bool {
	username, password, _ := req.BasicAuth()
	return username == r.opts.Username && password == r.opts.Password
}

// repositoryOf matches the name of a repository in a path.
var repositoryOf = regexp.MustCompile("^/v2/(.*)/(manifests|blobs|tags|referrers)/")

func (r *Registry) challenge(path string) string {
	if !r.opts.Bearer {
		return `Basic realm="registry"`
	}
	name := append(repositoryOf.FindStringSubmatch(path), "", "")[1]
	return fmt.Sprintf(`Bearer realm="%s/token?of=test",service="registry",scope="repository:%s:pull"`, r.Server.URL, name)
}

// issue answers as a token server.
func (r *Registry) issue(w http.ResponseWriter, req *http.Request) {
	refreshed := r.opts.IdentityToken != "" && req.Method == http.MethodPost &&
		req.PostFormValue("refresh_token") == r.opts.IdentityToken
	asked := req.FormValue("service") == "registry" && req.FormValue("scope") != ""
	if !asked || !refreshed && !r.knows(req) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issued++
	r.token = fmt.Sprintf("issued-%d", r.issued)
	_, _ = fmt.Fprintf(w, `{"token":%q,"access_token":%q}`, r.token, r.token)
}
