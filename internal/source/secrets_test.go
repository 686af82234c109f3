package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// spy is a server of somebody who writes a Bundle to learn what is in a Secret.
type spy struct {
	*httptest.Server
	// logins counts the requests with a login or a client certificate.
	logins atomic.Int64
}

// newSpy returns a server and the Secret with its authority.
func newSpy(t *testing.T) (*spy, *corev1.Secret) {
	t.Helper()
	s := &spy{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" || len(r.TLS.PeerCertificates) > 0 {
			s.logins.Add(1)
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, MinVersion: tls.VersionTLS12}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return s, secretNamed("ca", corev1.SecretTypeOpaque, map[string]string{"ca.crt": string(ca)})
}

// naming returns sources that name the Secret "victim", by what they read it for, with
// the server of the spy.
func naming(s *spy) map[string]v1alpha1.Source {
	victim, ca := v1alpha1.LocalReference{Name: "victim"}, v1alpha1.LocalReference{Name: "ca"}
	unknown := v1alpha1.Digest(digest.FromString("any"))
	host := strings.TrimPrefix(s.URL, "https://")
	chart := v1alpha1.HelmSource{Chart: "oci://" + host + "/app", Version: "1.2.3", ReleaseName: "app", Namespace: "app"}
	registryChart, webChart := chart, chart
	webChart.Chart, webChart.SecretRef, webChart.CARef = s.URL+"/charts/app", victim, ca
	registryChart.SecretRef, registryChart.CARef = victim, ca
	return map[string]v1alpha1.Source{
		"a file":                {HTTPS: &v1alpha1.HTTPSSource{URL: s.URL + "/a", Digest: unknown, SecretRef: victim, CARef: ca}},
		"an artifact":           {OCI: &v1alpha1.OCISource{Repository: host + "/app", Tag: "v1", SecretRef: victim, CARef: ca}},
		"a chart repository":    {Helm: &webChart},
		"a chart in a registry": {Helm: &registryChart},
	}
}

// use resolves and fetches a source as far as it goes.
func use(t *testing.T, r *source.Resolver, src v1alpha1.Source) error {
	t.Helper()
	query := source.Query{Namespace: namespace, Source: src}
	if part, ok := r.Static(query); ok {
		_, err := part.Fetch(t.Context(), store.Partial{})
		return err
	}
	_, err := r.Resolve(t.Context(), query)
	return err
}

func TestASecretIsReadOnlyIfItIsMadeForSources(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kind  corev1.SecretType
		label string
		want  string // empty for one that is read
	}{
		"of a service account":             {corev1.SecretTypeServiceAccountToken, "", "which a source may not name"},
		"of a service account, labelled":   {corev1.SecretTypeServiceAccountToken, "true", "which a source may not name"},
		"for nodes that join, labelled":    {corev1.SecretTypeBootstrapToken, "true", "which a source may not name"},
		"with a kubeconfig, labelled":      {"cluster.x-k8s.io/secret", "true", "which a source may not name"},
		"of anything":                      {corev1.SecretTypeOpaque, "", "kubectl label secret -n default victim addons.cluster.x-k8s.io/source=true"},
		"without a type":                   {"", "", "it is of the type Opaque and not labelled for sources"},
		"of Helm":                          {"helm.sh/release.v1", "", "not labelled for sources"},
		"with manifests":                   {"addons.cluster.x-k8s.io/resource-set", "", "not labelled for sources"},
		"of anything, labelled with false": {corev1.SecretTypeOpaque, "false", "not labelled for sources"},
		"of anything, labelled":            {corev1.SecretTypeOpaque, "true", ""},
		"with a login":                     {corev1.SecretTypeBasicAuth, "", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ca := newSpy(t)
			victim := forHost(secretNamed("victim", tc.kind, map[string]string{"username": "u", "password": "hunter2"}), s.URL)
			victim.Labels = map[string]string{v1alpha1.SourceLabel: tc.label}
			for kind, src := range naming(s) {
				s.logins.Store(0)
				err := use(t, newResolver(t, victim, ca), src)
				if got := s.logins.Load(); (got == 0) != (tc.want != "") {
					t.Errorf("%s: the server got the login %d times", kind, got)
				}
				if tc.want != "" {
					faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, "Secret victim: ", tc.want)
				}
			}
		})
	}
}

func TestALoginIsSentOnlyToTheServerThatItsSecretNames(t *testing.T) {
	t.Parallel()
	certificate, key := clientCertificate(t)
	logins := map[string]*corev1.Secret{
		"a password":    secretNamed("victim", corev1.SecretTypeBasicAuth, map[string]string{"username": "u", "password": "hunter2"}),
		"a token":       secretOf("victim", map[string]string{"token": "hunter2"}),
		"a certificate": secretNamed("victim", corev1.SecretTypeTLS, map[string]string{"tls.crt": certificate, "tls.key": key}),
	}
	for name, login := range logins {
		for hosts, want := range map[string]bool{
			"": false, "other.example.com": false, "127.0.0.1": false, "127.0.0.1:443": false, "*": false,
			"other.example.com, SPY": true, "SPY": true,
		} {
			t.Run(name+" for "+hosts, func(t *testing.T) {
				t.Parallel()
				s, ca := newSpy(t)
				victim := forHost(login.DeepCopy(), strings.ReplaceAll(hosts, "SPY", s.URL))
				for kind, src := range naming(s) {
					s.logins.Store(0)
					err := use(t, newResolver(t, victim, ca), src)
					if got := s.logins.Load(); (got > 0) != want {
						t.Errorf("%s: the server got it %d times: %v", kind, got, err)
					}
					if !want {
						faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, "it does not say that its login is for "+
							strings.TrimPrefix(s.URL, "https://")+": name that in its key host, or kubectl annotate secret -n default victim")
					}
				}
			})
		}
	}
}

// clientCertificate returns a certificate of its own and its key, in PEM.
func clientCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestValuesAreReadOnlyFromSecretsThatAreMadeForThem(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{"templates/x.yaml": "kind: X\nvalue: {{ .Values.token }}\n"})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(chart) }))
	t.Cleanup(web.Close)
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", Digest: v1alpha1.Digest(digest.FromBytes(chart)),
		ReleaseName: "web", Namespace: "shop",
		ValuesFrom: []v1alpha1.ValuesReference{{Kind: "Secret", Name: "victim", Key: "values.yaml"}},
	}}
	for kind, want := range map[corev1.SecretType]bool{
		"addons.cluster.x-k8s.io/resource-set": true,
		corev1.SecretTypeOpaque:                false,
		corev1.SecretTypeBasicAuth:             false, // a password is no value: it is for a server
		corev1.SecretTypeServiceAccountToken:   false,
		"cluster.x-k8s.io/secret":              false,
	} {
		victim := secretNamed("victim", kind, map[string]string{"values.yaml": "token: hunter2"})
		labelled := victim.DeepCopy()
		victim.Labels = nil
		if err := use(t, newResolver(t, victim), src); (err == nil) != want {
			t.Errorf("type %s: want it read: %t, got %v", kind, want, err)
		}
		want = want || kind == corev1.SecretTypeOpaque || kind == corev1.SecretTypeBasicAuth
		if err := use(t, newResolver(t, labelled), src); (err == nil) != want {
			t.Errorf("type %s with the label: want it read: %t, got %v", kind, want, err)
		}
	}
}

// TestAMismatchDoesNotSayWhichBytesCame has a server that only the manager can reach: who
// names it with a digest of nothing must not learn the digest of what it serves.
func TestAMismatchDoesNotSayWhichBytesCame(t *testing.T) {
	t.Parallel()
	const internal = "hunter2"
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/index.yaml") {
			_, _ = fmt.Fprintf(w, "entries: {web: [{version: 1.2.3, urls: [web.tgz], digest: %s}]}", digest.FromString(internal).Encoded())
			return
		}
		_, _ = io.WriteString(w, internal)
	}))
	t.Cleanup(web.Close)
	ca := secretOf("ca", map[string]string{"ca.crt": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw}))})
	host, wanted := strings.TrimPrefix(web.URL, "https://"), v1alpha1.Digest(digest.FromString("nothing"))
	from := v1alpha1.LocalReference{Name: "ca"}
	for name, src := range map[string]v1alpha1.Source{
		"a chart of a repository": {Helm: &v1alpha1.HelmSource{
			Chart: web.URL + "/charts/web", Version: "1.2.3", ReleaseName: "w", Namespace: "w", Digest: wanted, CARef: from,
		}},
		"an artifact": {OCI: &v1alpha1.OCISource{Repository: host + "/app", Digest: wanted, CARef: from}},
	} {
		err := use(t, newResolver(t, ca), src)
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason, string(wanted))
		if strings.Contains(err.Error(), digest.FromString(internal).Encoded()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheTypesThatASourceMayNameCanChange(t *testing.T) {
	t.Parallel()
	login := map[string]string{"username": "jane", "password": "hunter2", "host": "charts.invalid"}
	secret := secretNamed("login", "example.com/login", login)
	secret.Labels = nil
	r := newResolver(t, secret)
	query := source.Query{Namespace: namespace, Kubernetes: "v1.36", Source: v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: "https://charts.invalid/agent", Version: "1.0.0", SecretRef: v1alpha1.LocalReference{Name: "login"},
	}}}
	_, err := r.Resolve(t.Context(), query)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, "of the type example.com/login")
	settings := r.Settings
	settings.SecretTypes.Servers = []corev1.SecretType{"example.com/login"}
	r.Configure(settings)
	if _, err := r.Resolve(t.Context(), query); fault.ClassOf(err) != fault.ClassRetry {
		t.Errorf("want the server to be asked, which nobody knows, got %v", err)
	}
}

func TestTypesThatNoSourceMayNameAreRefused(t *testing.T) {
	t.Parallel()
	if err := source.DefaultSecretTypes().Validate(); err != nil {
		t.Error(err)
	}
	for _, given := range []corev1.SecretType{
		"", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "cluster.x-k8s.io/secret",
	} {
		for _, types := range []source.SecretTypes{
			{Servers: []corev1.SecretType{given}}, {Values: []corev1.SecretType{given}}, {PublicKeys: []corev1.SecretType{given}},
		} {
			if err := types.Validate(); err == nil || !strings.Contains(err.Error(), string(given)) {
				t.Errorf("want %q refused, got %v", given, err)
			}
		}
	}
}
