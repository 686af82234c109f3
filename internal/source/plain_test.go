package source_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func TestWithoutTLSASourceNeedsItsDigestAndSendsNothingSecret(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(web.Close)
	host := strings.TrimPrefix(web.URL, "http://")
	secret := v1alpha1.LocalReference{Name: "login"}
	sum := v1alpha1.Digest(digest.FromString("any"))
	artifact := func(src v1alpha1.OCISource) v1alpha1.Source {
		src.Repository, src.Insecure = host+"/app", new(true)
		return v1alpha1.Source{OCI: &src}
	}
	chart := func(address string, src v1alpha1.HelmSource) v1alpha1.Source {
		src.Chart, src.Insecure, src.Version, src.ReleaseName, src.Namespace = address, new(true), "1.2.3", "a", "a"
		return v1alpha1.Source{Helm: &src}
	}
	const digestAsked, tlsAsked = "without TLS a source needs its digest", "need TLS"
	tests := map[string]struct {
		given v1alpha1.Source
		want  string
	}{
		"a tag":                      {artifact(v1alpha1.OCISource{Tag: "v1"}), digestAsked},
		"a constraint":               {artifact(v1alpha1.OCISource{SemVer: "^1"}), digestAsked},
		"a login":                    {artifact(v1alpha1.OCISource{Digest: sum, SecretRef: secret}), tlsAsked},
		"an authority":               {artifact(v1alpha1.OCISource{Digest: sum, CARef: secret}), tlsAsked},
		"a chart in a registry":      {chart("oci://"+host+"/app", v1alpha1.HelmSource{}), digestAsked},
		"a chart with a login":       {chart("oci://"+host+"/app", v1alpha1.HelmSource{Digest: sum, SecretRef: secret}), tlsAsked},
		"a chart repository":         {chart(web.URL+"/app", v1alpha1.HelmSource{}), digestAsked},
		"a repository with a login":  {chart(web.URL+"/app", v1alpha1.HelmSource{Digest: sum, SecretRef: secret}), tlsAsked},
		"a repository with a CA":     {chart(web.URL+"/app", v1alpha1.HelmSource{Digest: sum, CARef: secret}), tlsAsked},
		"credentials in the address": {chart("http://u:hunter2@"+host+"/app", v1alpha1.HelmSource{Digest: sum}), tlsAsked},
		"an archive without digest":  {chart(web.URL+"/app.tgz", v1alpha1.HelmSource{}), digestAsked},
	}
	for name, test := range tests {
		err := use(t, newResolver(t), test.given)
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, test.want)
		if asked.Load() > 0 {
			t.Errorf("%s: want nobody asked", name)
		}
	}
}

// TestWhoIsOnTheWayToAChartRepositoryChoosesNoChart has an index that was changed on its
// way, with the digest of another chart.
func TestWhoIsOnTheWayToAChartRepositoryChoosesNoChart(t *testing.T) {
	t.Parallel()
	good := packedChart(t, map[string]string{"templates/x.yaml": "kind: Good\n"})
	evil := packedChart(t, map[string]string{"templates/x.yaml": "kind: Evil\n"})
	for name, served := range map[string][]byte{"as it was": good, "changed": evil} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/index.yaml") {
				_, _ = fmt.Fprintf(w, "entries: {web: [{version: 1.2.3, urls: [web.tgz], digest: %s}]}", digest.FromBytes(served).Encoded())
				return
			}
			_, _ = w.Write(served)
		}))
		t.Cleanup(web.Close)
		src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
			Chart: web.URL + "/charts/web", Version: "1.2.3", ReleaseName: "w", Namespace: "w", Digest: v1alpha1.Digest(digest.FromBytes(good)),
		}}
		err := use(t, newResolver(t), src)
		if name == "as it was" && err != nil {
			t.Error(err)
		}
		if name == "changed" {
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason, "the chart is not that of the digest")
		}
	}
}

func TestAnArtifactWithoutTLSIsThatOfItsDigest(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{})
	good := ocitest.NewArtifact(ocitest.File{MediaType: "application/yaml", Content: []byte("kind: Good")})
	registry.Push(t, "app", good)
	src := v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: registry.Host() + "/app", Digest: v1alpha1.Digest(good.Digest()), Insecure: new(true),
	}}
	if parts := resolved(t, newResolver(t), src); len(parts) != 1 || content(t, parts[0]) != "kind: Good" {
		t.Errorf("want the artifact, got %v", parts)
	}
}
