package capi_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/capi"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// kubeconfig returns a kubeconfig with further fields of its cluster and its user.
func kubeconfig(server, cluster, user string) []byte {
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c",
		"contexts":[{"name":"c","context":{"cluster":"a","user":"b"}},{"name":"other","context":{"cluster":"a","user":"plugin"}}],
		"clusters":[{"name":"a","cluster":{"server":%q%s}}],
		"users":[{"name":"b","user":{%s}},{"name":"plugin","user":{"exec":{"apiVersion":"v1","command":"sh"}}}]}`,
		server, cluster, user)
}

func TestAKubeconfigIsUsedWithoutWhatIsNotInIt(t *testing.T) {
	t.Parallel()
	const token = `"token":"abc"`
	tests := map[string]struct {
		given []byte
		want  string
	}{
		"one with a token": {kubeconfig("https://example.com", "", token), ""},
		"one with a proxy": {kubeconfig("https://example.com", `,"proxy-url":"http://proxy.example.com"`, token), ""},
		"nothing":          {nil, "no current context"},
		"no YAML":          {[]byte("{"), "no kubeconfig"},
		"a context that is absent": {
			[]byte(strings.Replace(string(kubeconfig("https://example.com", "", token)), `"current-context":"c"`, `"current-context":"d"`, 1)),
			"no current context",
		},
		"no server": {kubeconfig("", "", token), "no server"},
		"a context of a user that is absent": {
			[]byte(strings.Replace(string(kubeconfig("https://example.com", "", token)), `"name":"b"`, `"name":"d"`, 1)), "no user",
		},
		"a file with a token": {
			kubeconfig("https://example.com", "", `"tokenFile":"/var/run/secrets/kubernetes.io/serviceaccount/token"`), "a file in tokenFile",
		},
		"a file beside a token": {kubeconfig("https://example.com", "", token+`,"tokenFile":"/dev/zero"`), "a file in tokenFile"},
		"a certificate in a file": {
			kubeconfig("https://example.com", "", `"client-certificate":"/etc/tls.crt","client-key-data":"YQ=="`), "a file in client-certificate",
		},
		"a key in a file": {
			kubeconfig("https://example.com", "", `"client-certificate-data":"YQ==","client-key":"/etc/tls.key"`), "a file in client-key",
		},
		"an authority in a file": {
			kubeconfig("https://example.com", `,"certificate-authority":"/etc/passwd"`, token), "a file in certificate-authority",
		},
		"a program": {kubeconfig("https://example.com", "", `"exec":{"apiVersion":"v1","command":"sh"}`), "exec"},
		"a plugin":  {kubeconfig("https://example.com", "", `"auth-provider":{"name":"oidc"}`), "auth-provider"},
		"a large one": {
			kubeconfig("https://example.com", `,"extensions":[`+strings.Repeat(`{},`, 50_000)+`{}]`, token), "larger than 128 KiB",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			safe, err := capi.SafeKubeconfig(tc.given)
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "/") {
					t.Errorf("want %q and nothing of the kubeconfig, got %v", tc.want, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := clientcmd.RESTConfigFromKubeConfig(safe)
			if err != nil || cfg.Host != "https://example.com" || cfg.BearerToken != "abc" || !cfg.DisableCompression {
				t.Errorf("want the same server and token without compression, got %+v, %v", cfg, err)
			}
		})
	}
}

// tenant is a server that a tenant's kubeconfig names.
type tenant struct {
	*httptest.Server

	mu       sync.Mutex
	requests []http.Header
}

// newTenant starts a server that answers nothing useful.
func newTenant(t *testing.T) *tenant {
	t.Helper()
	s := &tenant{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, r.Header)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *tenant) seen() []http.Header {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// kubeconfig names the server and has further fields of the user.
func (s *tenant) kubeconfig(user string) []byte {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return kubeconfig(s.URL, fmt.Sprintf(`,"certificate-authority-data":%q`, base64.StdEncoding.EncodeToString(ca)), user)
}

// written is a Connectable with a kubeconfig of its own.
type written []byte

func (w written) Kubeconfig() []byte { return w }

// TestNoFileIsSentToATenant is about the configuration of client-go: it has the file read
// that a kubeconfig names, and its content sent to the server that it names.
func TestNoFileIsSentToATenant(t *testing.T) {
	t.Parallel()
	m := testenv.SharedManagement(t)
	ns := testenv.NewNamespace(t, m.APIServer)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("of-the-manager"), 0o600); err != nil {
		t.Fatal(err)
	}
	thief, honest := newTenant(t), newTenant(t)
	add := func(name string, kubeconfig []byte) client.ObjectKey {
		return client.ObjectKeyFromObject(testenv.NewCluster(t, m, testenv.ClusterOptions{
			Namespace: ns, Name: name, Workload: written(kubeconfig), Version: "v1.36.0",
		}))
	}
	stealing := add("thief", thief.kubeconfig(fmt.Sprintf(`"tokenFile":%q`, file)))
	add("honest", honest.kubeconfig(`"token":"its-own"`))
	mgr := newManager(t, m, ns)
	connections := newConnections(t)
	if err := capi.SetupConnecting(mgr, capi.ConnectingOptions{Connections: connections, Selects: all}); err != nil {
		t.Fatal(err)
	}
	run(t, mgr)
	testenv.Eventually(t, "both are tried", func() bool {
		_, err := connections.Client(stealing)
		return strings.Contains(err.Error(), "tokenFile") && len(honest.seen()) > 0
	})
	if got := thief.seen(); len(got) > 0 {
		t.Errorf("want no request to the server of the kubeconfig with a file, got %v", got)
	}
	for _, header := range honest.seen() {
		if header.Get("Authorization") != "Bearer its-own" {
			t.Errorf("want the tenant's own token, got %v", header)
		}
	}
}
