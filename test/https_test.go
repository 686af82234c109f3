package test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

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

func TestTheAPIServerRefusesWhatIsNotSafeWithoutTLS(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	secret, sum := v1alpha1.LocalReference{Name: "login"}, v1alpha1.Digest(digest.FromString("any"))
	file := func(src v1alpha1.HTTPSSource) v1alpha1.Source {
		src.Digest = sum
		return v1alpha1.Source{HTTPS: &src}
	}
	artifact := func(src v1alpha1.OCISource) v1alpha1.Source {
		src.Repository = "registry.example.com/app"
		return v1alpha1.Source{OCI: &src}
	}
	chart := func(address string, src v1alpha1.HelmSource) v1alpha1.Source {
		src.Chart, src.Version, src.ReleaseName, src.Namespace = address, "1.2.3", "a", "a"
		return v1alpha1.Source{Helm: &src}
	}
	const http, oci = "http://charts.example.com/app", "oci://registry.example.com/app"
	tests := map[string]struct {
		given v1alpha1.Source
		want  string // empty for what is accepted
	}{
		"a login of a file":          {file(v1alpha1.HTTPSSource{URL: "http://a/b", SecretRef: secret}), "need a url with https://"},
		"an authority of a file":     {file(v1alpha1.HTTPSSource{URL: "http://a/b", CARef: secret}), "credentials are not sent without TLS"},
		"a password in a URL":        {file(v1alpha1.HTTPSSource{URL: "http://user:hunter2@a/b"}), "should match"},
		"a tag":                      {artifact(v1alpha1.OCISource{Tag: "v1", Insecure: new(true)}), "an artifact needs its digest"},
		"a constraint":               {artifact(v1alpha1.OCISource{SemVer: "1", Insecure: new(true)}), "an artifact needs its digest"},
		"a login of an artifact":     {artifact(v1alpha1.OCISource{Digest: sum, Insecure: new(true), SecretRef: secret}), "exclude insecure"},
		"an artifact by its digest":  {artifact(v1alpha1.OCISource{Digest: sum, Insecure: new(true)}), ""},
		"a tag with TLS":             {artifact(v1alpha1.OCISource{Tag: "v1", Insecure: new(false), SecretRef: secret}), ""},
		"a chart in a registry":      {chart(oci, v1alpha1.HelmSource{Insecure: new(true)}), "a chart needs its digest"},
		"a chart in a repository":    {chart(http, v1alpha1.HelmSource{}), "a chart needs its digest"},
		"a login of a chart":         {chart(http, v1alpha1.HelmSource{Digest: sum, SecretRef: secret}), "need TLS"},
		"a password of a chart":      {chart("http://user:hunter2@a/b", v1alpha1.HelmSource{Digest: sum}), "should match"},
		"a chart by its digest":      {chart(http, v1alpha1.HelmSource{Digest: sum}), ""},
		"a chart with TLS":           {chart(oci, v1alpha1.HelmSource{SecretRef: secret}), ""},
		"a chart repository and TLS": {chart("https://charts.example.com/app", v1alpha1.HelmSource{Insecure: new(true), CARef: secret}), ""},
	}
	for name, tc := range tests {
		err := s.management.Client.Create(t.Context(), &v1alpha1.Bundle{
			ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, GenerateName: "plain-"},
			Spec:       v1alpha1.BundleSpec{Releases: []v1alpha1.Release{release("1.0.0", phase("all", tc.given))}},
		}, client.DryRunAll)
		if tc.want == "" {
			s.Expect(err).NotTo(HaveOccurred(), name)
			continue
		}
		s.Expect(err).To(MatchError(ContainSubstring(tc.want)), name)
	}
}
