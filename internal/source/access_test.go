package source_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// privateFile serves a file to those who have the password, with a certificate of its
// own authority. It returns its source and the authority's Secret.
func privateFile(t *testing.T, password string) (v1alpha1.HTTPSSource, *corev1.Secret) {
	t.Helper()
	const file = "kind: A"
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, file)
	}))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return v1alpha1.HTTPSSource{
		URL: server.URL + "/a.yaml", Digest: v1alpha1.Digest(digest.FromString(file)),
		SecretRef: v1alpha1.LocalReference{Name: "login"}, CARef: v1alpha1.LocalReference{Name: "ca"},
	}, secretNamed("ca", corev1.SecretTypeOpaque, map[string]string{"ca.crt": string(ca)})
}

// secretNamed is a Secret that sources may name.
func secretNamed(name string, kind corev1.SecretType, content map[string]string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: meta(name), Type: kind, Data: bytesOf(content)}
	secret.Labels = map[string]string{v1alpha1.SourceLabel: "true"}
	return secret
}

// forHost has a Secret say that its login is for the servers, which may be URLs.
func forHost(secret *corev1.Secret, servers ...string) *corev1.Secret {
	hosts := strings.ReplaceAll(strings.Join(servers, ", "), "https://", "")
	secret.Annotations = map[string]string{v1alpha1.HostAnnotation: hosts}
	return secret
}

// server is the server of a source.
func server(src v1alpha1.HTTPSSource) string { return fetch.Host(src.URL) }

func TestAFileIsFetchedWithTheSecretsOfTheTime(t *testing.T) {
	t.Parallel()
	src, ca := privateFile(t, "hunter2")
	login := forHost(secretNamed("login", corev1.SecretTypeBasicAuth,
		map[string]string{"username": "u", "password": "old"}), server(src))
	r := newResolver(t, login, ca)
	part, ok := r.Static(source.Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &src}})
	if !ok {
		t.Fatal("want a part without anything being read")
	}
	_, err := part.Fetch(t.Context(), store.Partial{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, src.URL, "credentials of Secret login")

	login = forHost(secretNamed("login", corev1.SecretTypeBasicAuth,
		map[string]string{"username": "u", "password": "hunter2"}), server(src))
	r = newResolver(t, login, ca)
	part, _ = r.Static(source.Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &src}})
	if got := content(t, part); got != "kind: A" {
		t.Errorf("want the file, got %q", got)
	}
}

func TestSecretsOfAFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	good := map[string]string{"username": "u", "password": "hunter2"}
	tests := map[string]struct {
		given      *corev1.Secret
		wantReason string
		want       string
	}{
		"none of that name": {secretNamed("other", "", good), v1alpha1.ReferenceNotFoundReason, "Secret login: it does not exist"},
		"without a login": {
			secretNamed("login", corev1.SecretTypeDockerConfigJson, map[string]string{".dockerconfigjson": "hunter2"}),
			v1alpha1.ReferenceInvalidReason, "Secret login: it has none of the keys username, token, tls.crt and ca.crt",
		},
		"of a service account": {
			secretNamed("login", corev1.SecretTypeServiceAccountToken, map[string]string{"token": "hunter2"}),
			v1alpha1.ReferenceInvalidReason, "Secret login: it is of the type kubernetes.io/service-account-token",
		},
		"for nodes that join": {
			secretNamed("login", corev1.SecretTypeBootstrapToken, map[string]string{"token": "hunter2"}),
			v1alpha1.ReferenceInvalidReason, "Secret login: it is of the type bootstrap.kubernetes.io/token",
		},
		"of Cluster API": {
			secretNamed("login", "cluster.x-k8s.io/secret", map[string]string{"token": "hunter2"}),
			v1alpha1.ReferenceInvalidReason, "Secret login: it is of the type cluster.x-k8s.io/secret",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src, ca := privateFile(t, "hunter2")
			r := newResolver(t, tc.given, ca)
			part, _ := r.Static(source.Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &src}})
			_, err := part.Fetch(t.Context(), store.Partial{})
			faulttest.Want(t, err, fault.ClassOf(err), tc.wantReason, src.URL, tc.want)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want nothing of the content in %q", err)
			}
		})
	}
}

func TestACARefWithoutAuthoritiesNamesItsSecret(t *testing.T) {
	t.Parallel()
	src, _ := privateFile(t, "hunter2")
	src.SecretRef.Name = ""
	r := newResolver(t, secretNamed("ca", "", nil))
	part, _ := r.Static(source.Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &src}})
	_, err := part.Fetch(t.Context(), store.Partial{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ReferenceInvalidReason, src.URL, "Secret ca: it has no key ca.crt")
}

func TestTheAuthoritiesOfCARefReplaceThoseOfTheLogin(t *testing.T) {
	t.Parallel()
	src, ca := privateFile(t, "hunter2")
	login := forHost(secretNamed("login", "", map[string]string{
		"username": "u", "password": "hunter2", "ca.crt": string(ca.Data["ca.crt"]),
	}), server(src))
	for name, want := range map[string]bool{"": true, "ca": true, "strange": false} {
		src.CARef.Name = name
		strange := secretNamed("strange", "", map[string]string{"ca.crt": strangeAuthority(t)})
		r := newResolver(t, login, ca, strange)
		part, _ := r.Static(source.Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &src}})
		_, err := part.Fetch(t.Context(), store.Partial{})
		if (err == nil) != want {
			t.Errorf("caRef %q: want it fetched: %t, got %v", name, want, err)
		}
	}
}

// strangeAuthority returns the certificate of an authority that nobody uses.
func strangeAuthority(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
