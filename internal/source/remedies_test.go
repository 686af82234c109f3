package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

// secretOf is an opaque Secret that sources may name.
func secretOf(name string, keys map[string]string) *corev1.Secret {
	return secretNamed(name, corev1.SecretTypeOpaque, keys)
}

func bytesOf(keys map[string]string) map[string][]byte {
	values := map[string][]byte{}
	for key, value := range keys {
		values[key] = []byte(value)
	}
	return values
}

// authorityOf returns the certificate of an authority that signs for nobody.
func authorityOf(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "other"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// private is an artifact behind TLS and a login, with the Secrets that are named.
func private(r *ocitest.Registry, secret, ca string) v1alpha1.Source {
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: r.Host() + "/app", Tag: "v1",
		SecretRef: v1alpha1.LocalReference{Name: secret}, CARef: v1alpha1.LocalReference{Name: ca},
	}}
}

func TestTheMessageOfARegistryThatRefusesNamesTheSecret(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "right"})
	forbidding := ocitest.New(t, ocitest.Options{TLS: true})
	forbidding.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	elsewhere := secretOf("docker", map[string]string{".dockerconfigjson": `{"auths":{"ghcr.io":{"username":"a","password":"hunter2"}}}`})
	elsewhere.Type = corev1.SecretTypeDockerConfigJson
	r := newResolver(t, elsewhere,
		forHost(secretOf("login", map[string]string{"username": "jane", "password": "hunter2"}), registry.Host(), forbidding.Host()),
		forHost(secretOf("token", map[string]string{"token": "hunter2"}), registry.Host()),
		secretOf("ca", map[string]string{"ca.crt": string(registry.CA())}),
		secretOf("forbidding-ca", map[string]string{"ca.crt": string(forbidding.CA())}),
	)
	tests := map[string]struct {
		given v1alpha1.Source
		want  string
	}{
		"a login": {
			private(registry, "login", "ca"),
			"the registry refused the credentials of Secret login, keys username and password (401 Unauthorized)",
		},
		"a token": {
			private(registry, "token", "ca"), "the registry refused the credentials of Secret token, key token (401 Unauthorized)",
		},
		"a login for another registry": {
			private(registry, "docker", "ca"), "the registry requires credentials (401 Unauthorized), and " +
				"Secret docker, key .dockerconfigjson of secretRef has none for https://" + registry.Host() + "/app: add them",
		},
		"no Secret": {
			private(registry, "", "ca"),
			"the registry requires credentials (401 Unauthorized), and there are none for it: name a Secret with them in secretRef",
		},
		"a login that may not": {
			private(forbidding, "login", "forbidding-ca"), "the registry refused the credentials of Secret login, " +
				"keys username and password (403 Forbidden): they may not pull from this repository",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, test.want)
		})
	}
}

func TestTheMessageAboutAnAuthorityNamesItsSecret(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	other := ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "right"})
	r := newResolver(t,
		forHost(secretOf("login", map[string]string{"username": "jane", "password": "hunter2"}), registry.Host()),
		secretOf("both", map[string]string{
			"username": "jane", "password": "hunter2", "ca.crt": authorityOf(t), "host": registry.Host(),
		}),
		secretOf("other-ca", map[string]string{"ca.crt": authorityOf(t)}),
		secretOf("pem", map[string]string{"ca.pem": string(other.CA())}),
		secretOf("empty", nil),
		secretOf("garbage", map[string]string{"ca.crt": "hunter2"}),
	)
	invalid, failed := v1alpha1.ReferenceInvalidReason, v1alpha1.FetchFailedReason
	tests := map[string]struct {
		givenSecret, givenCA string
		wantClass            fault.Class
		wantReason, want     string
	}{
		"a CA without its key":   {"login", "pem", fault.ClassStall, invalid, "Secret pem: it has no key ca.crt"},
		"a CA without any key":   {"login", "empty", fault.ClassStall, invalid, "Secret empty: it has no key ca.crt"},
		"a CA that is none":      {"login", "garbage", fault.ClassStall, invalid, "Secret garbage: the key ca.crt holds no certificate"},
		"credentials of nothing": {"empty", "other-ca", fault.ClassStall, invalid, "Secret empty: the Secret has none of the keys"},
		"an authority that nobody names": {
			"login", "", fault.ClassRetry, failed, "unknown authority: name a Secret with its authority, key ca.crt, in caRef",
		},
		"another authority": {
			"login", "other-ca", fault.ClassRetry, failed, "unknown authority: it is none of those in Secret other-ca, key ca.crt",
		},
		"another authority beside the login": {
			"both", "", fault.ClassRetry, failed, "unknown authority: it is none of those in Secret both, key ca.crt",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			src := private(registry, test.givenSecret, test.givenCA)
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
			faulttest.Want(t, err, test.wantClass, test.wantReason, test.want)
		})
	}
}

// plainSource is an artifact of a registry that is asked without TLS.
func plainSource(r *ocitest.Registry) v1alpha1.Source {
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: r.Host() + "/app", Digest: v1alpha1.Digest(digest.FromString("any")), Insecure: new(true),
	}}
}

func TestTheMessageAboutTLSNamesTheField(t *testing.T) {
	t.Parallel()
	secure, plain := ocitest.New(t, ocitest.Options{TLS: true}), ocitest.New(t, ocitest.Options{})
	redirecting := ocitest.New(t, ocitest.Options{})
	redirecting.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		http.Redirect(w, req, "https://registry.example.com"+req.URL.Path, http.StatusMovedPermanently)
		return true
	})
	closing := ocitest.New(t, ocitest.Options{})
	closing.Intercept(func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) })
	retry, failed := fault.ClassRetry, v1alpha1.FetchFailedReason
	tests := map[string]struct {
		given            v1alpha1.Source
		wantClass        fault.Class
		wantReason, want string
	}{
		"TLS to a registry without it": {
			private(plain, "", ""), retry, failed, "the server speaks no TLS: set insecure: true and a digest in the source",
		},
		"plain HTTP to a registry with TLS": {
			plainSource(secure), retry, failed, "400 Bad Request: it may speak TLS: remove insecure from the source",
		},
		"plain HTTP to a registry that closes the connection": {
			plainSource(closing), retry, failed, "the server closed the connection without an answer: it may speak TLS: remove insecure from the source",
		},
		"plain HTTP to a registry that leads to TLS": {
			plainSource(redirecting), fault.ClassStall, v1alpha1.SourceDeniedReason,
			"redirected to another scheme, https://registry.example.com: remove insecure from the source",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			faulttest.Want(t, err, test.wantClass, test.wantReason, test.want)
		})
	}
}
