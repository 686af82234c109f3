package test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// newPrivateWeb makes a server with TLS that has what the scenario's own has, for
// those with the token. The Secret ca has its authority.
func (s *scenario) newPrivateWeb(token string) *httptest.Server {
	s.t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.web.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.Close)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	s.create(s.newSecret("ca", map[string]string{"ca.crt": string(authority)}))
	return server
}

// newSecret returns a Secret that sources may name.
func (s *scenario) newSecret(name string, content map[string]string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.namespace, Name: name, Labels: map[string]string{v1alpha1.SourceLabel: "true"},
		},
		StringData: content,
	}
}

func TestAPrivateFileIsFetchedWhenItsSecretIsRight(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	server := s.newPrivateWeb("correct-horse")
	file := s.web.publish("a.yaml", good(s))
	file.HTTPS.URL = strings.Replace(file.HTTPS.URL, s.web.URL, server.URL, 1)
	file.HTTPS.SecretRef.Name, file.HTTPS.CARef.Name = "login", "ca"
	bundle := s.bundle("private", release("1.0.0", phase("all", file)))
	s.set("private")
	s.cluster("tampa", "private", testenv.SharedWorkload(t))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(
		"False ReferenceNotFound: .*a.yaml: Secret login: it does not exist in this namespace"))

	login := s.newSecret("login", map[string]string{"token": "battery-staple", "host": server.Listener.Addr().String()})
	login.Labels = nil
	s.create(login)
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False ReferenceInvalid: .*a.yaml: Secret login: .*" +
		"kubectl label secret -n " + s.namespace + " login addons.cluster.x-k8s.io/source=true"))
	s.change(login, func() { login.Labels = map[string]string{v1alpha1.SourceLabel: "true"} })
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(
		"False FetchFailed: .*a.yaml: the server answered 401 Unauthorized: it refuses the credentials of Secret login"))
	s.change(login, func() { login.StringData = map[string]string{"token": "correct-horse"} })
	s.Eventually(s.ready("private-tampa")).Should(Equal(isReady))
	for _, token := range []string{"correct-horse", "battery-staple"} {
		s.Expect(s.manager.Log()).NotTo(ContainSubstring(token))
	}
}

func TestTheAPIServerRefusesCredentialsWithoutTLS(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	tests := map[string]func(*v1alpha1.HTTPSSource){
		"secretRef and caRef need a url with https://": func(src *v1alpha1.HTTPSSource) { src.SecretRef.Name = "login" },
		"credentials are not sent without TLS":         func(src *v1alpha1.HTTPSSource) { src.CARef.Name = "ca" },
		"should match": func(src *v1alpha1.HTTPSSource) {
			src.URL = strings.Replace(src.URL, "://", "://user:hunter2@", 1)
		},
	}
	for want, change := range tests {
		file := s.web.source("a.yaml", "")
		change(file.HTTPS)
		bundle := &v1alpha1.Bundle{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "plain"},
			Spec:       v1alpha1.BundleSpec{Releases: []v1alpha1.Release{release("1.0.0", phase("all", file))}},
		}
		s.Expect(s.management.Client.Create(t.Context(), bundle)).To(MatchError(ContainSubstring(want)))
	}
}
