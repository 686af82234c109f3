package library

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

// theirs is a Bundle of another team.
var theirs = types.NamespacedName{Namespace: "other-team", Name: "calico"}

func TestAWrongLoginIsTheErrorOfItsTeamAlone(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != "hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(configMap("a")))
	}))
	t.Cleanup(server.Close)
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	login := func(namespace, password string) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "login"}, Type: corev1.SecretTypeBasicAuth,
			Data: map[string][]byte{
				"username": []byte("jane"), "password": []byte(password), "ca.crt": []byte(ca),
				"host": []byte(strings.TrimPrefix(server.URL, "https://")),
			},
		}
	}
	l := newLibrary(t, t.TempDir(), newShelf(), withRealSources(t,
		login(theirs.Namespace, "wrong"), login(calico.Namespace, "hunter2")))
	src := httpsSource(server.URL+"/a.yaml", configMap("a"))
	src.HTTPS.SecretRef.Name = "login"
	_, err := l.settleFor(t, theirs, of(src))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "refuses the credentials of Secret login")

	l.mustOpen(t, of(src))
}

func TestMessagesNameTheSourcesOfWhoAsks(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, t.TempDir(), newShelf())
	odd := configMap("odd") + "color: blue\n"
	other := strings.ReplaceAll(odd, "key: value", "key: other")
	if _, err := l.settleFor(t, theirs, of(
		l.shelf.put("https://example.com/secret-project.yaml", odd))); err != nil {
		t.Fatal(err)
	}
	packed := tarOf(t, "in.yaml", other)
	if _, err := l.settleFor(t, theirs, of(l.shelf.put("https://example.com/secret-archive.tar", packed))); err != nil {
		t.Fatal(err)
	}
	own, archive := l.shelf.put("https://example.com/own.yaml", odd), l.shelf.put("https://example.com/own.tar", packed)

	opened := l.mustOpen(t, of(own))
	if got := strings.Join(opened.Warnings, "\n"); !strings.HasPrefix(got, "own.yaml, document 1 (line 2): ConfigMap") {
		t.Errorf("want a warning that names the own file, got %q", got)
	}
	_, err := l.settle(t, of(own, archive))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ObjectConflictReason, "own.yaml, document 1", "own.tar:in.yaml, document 1")
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("want no name of another team's, got %v", err)
	}
}
