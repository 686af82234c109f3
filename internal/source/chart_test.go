package source_test

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// chartServer serves an index and a chart, to those who are welcome.
type chartServer struct {
	*httptest.Server
	chart []byte
	// archive is the URL of the chart in the index.
	archive string
	// welcome is the header Authorization that is asked for.
	welcome string

	mu sync.Mutex
	// seen are the headers Authorization of all requests.
	seen []string
}

// newChartServer returns a server whose certificate no system knows, and the Secret
// with its authority.
func newChartServer(t *testing.T, welcome string) (*chartServer, *corev1.Secret) {
	t.Helper()
	s := &chartServer{
		chart: packedChart(t, map[string]string{"templates/x.yaml": "kind: X\n"}), archive: "web-1.2.3.tgz", welcome: welcome,
	}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s, secretNamed("ca", corev1.SecretTypeOpaque, map[string]string{"ca.crt": string(ca)})
}

func (s *chartServer) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := r.Header.Get("Authorization")
	s.seen = append(s.seen, got)
	switch {
	case got != s.welcome:
		rw.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/index.yaml"):
		_, _ = fmt.Fprintf(rw, "entries: {web: [{version: 1.2.3, urls: [%q], digest: %s}]}",
			s.archive, digest.FromBytes(s.chart).Encoded())
	default:
		_, _ = rw.Write(s.chart)
	}
}

// source is the chart at a path of the server, by the Secrets login and ca.
func (s *chartServer) source(path string) v1alpha1.Source {
	return v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: s.URL + path, Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest:    v1alpha1.Digest(digest.FromBytes(s.chart)),
		SecretRef: v1alpha1.LocalReference{Name: "login"}, CARef: v1alpha1.LocalReference{Name: "ca"},
	}}
}

// basic is the header of the user u with the password hunter2.
const basic = "Basic dTpodW50ZXIy"

func TestAChartIsReadWithTheLoginAndTheAuthorityOfItsServer(t *testing.T) {
	t.Parallel()
	password := map[string]string{"username": "u", "password": "hunter2"}
	tests := map[string]struct {
		welcome string
		login   map[string]string
		path    string
	}{
		"in a repository, by a password": {basic, password, "/charts/web"},
		"in a repository, by a token":    {"Bearer abc", map[string]string{"token": "abc"}, "/charts/web"},
		"as an archive":                  {basic, password, "/charts/web-1.2.3.tgz"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, ca := newChartServer(t, test.welcome)
			r := newResolver(t, ca, forHost(secretNamed("login", corev1.SecretTypeOpaque, test.login), server.URL))
			parts := resolved(t, r, server.source(test.path))
			if got := content(t, parts[0]); !strings.Contains(got, "kind: X") {
				t.Errorf("want the chart, got %q", got)
			}
		})
	}
}

func TestTheLoginOfAChartRepositoryStaysOnItsServer(t *testing.T) {
	t.Parallel()
	server, ca := newChartServer(t, basic)
	elsewhere := &chartServer{chart: server.chart}
	elsewhere.Server = httptest.NewServer(elsewhere)
	t.Cleanup(elsewhere.Close)
	server.archive = elsewhere.URL + "/web-1.2.3.tgz"
	login := forHost(secretNamed("login", corev1.SecretTypeBasicAuth,
		map[string]string{"username": "u", "password": "hunter2"}), server.URL, elsewhere.URL)
	resolved(t, newResolver(t, ca, login), server.source("/charts/web"))
	if got := strings.Join(elsewhere.seen, ","); len(elsewhere.seen) == 0 || got != "" {
		t.Errorf("want the other server to be asked without a login, it saw %q", elsewhere.seen)
	}
}

func TestAChartRepositoryThatDeniesAccessNamesTheSecret(t *testing.T) {
	t.Parallel()
	server, ca := newChartServer(t, basic)
	wrong := forHost(secretNamed("login", corev1.SecretTypeBasicAuth,
		map[string]string{"username": "u", "password": "old"}), server.URL)
	none := secretNamed("login", corev1.SecretTypeOpaque, map[string]string{"user": "u"})
	empty := secretNamed("ca", corev1.SecretTypeOpaque, map[string]string{})
	tests := map[string]struct {
		given *source.Resolver
		class fault.Class
		why   string
		want  string
	}{
		"a wrong password": {newResolver(t, ca, wrong), fault.ClassRetry, v1alpha1.FetchFailedReason, "credentials of Secret login"},
		"none of its keys": {
			newResolver(t, ca, none), fault.ClassStall, v1alpha1.ReferenceInvalidReason, "Secret login: it has none of the keys",
		},
		"no authority": {newResolver(t, empty, wrong), fault.ClassStall, v1alpha1.ReferenceInvalidReason, "Secret ca"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := test.given.Resolve(t.Context(), source.Query{Namespace: namespace, Source: server.source("/charts/web")})
			faulttest.Want(t, err, test.class, test.why, test.want, "/charts/web")
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%v repeats a password", err)
			}
		})
	}
}
