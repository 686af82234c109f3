package source_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

// other is the namespace of another team.
const other = "other-team"

// vault is a registry with a login, and what a team that has the login put there.
type vault struct {
	*ocitest.Registry
	private ocitest.Artifact
	// secrets are those of the team, and the authority of the registry for the other one.
	secrets []client.Object
}

func newVault(t *testing.T, files ...ocitest.File) *vault {
	t.Helper()
	if files == nil {
		files = []ocitest.File{{Title: "a.yaml", MediaType: orasType, Content: []byte("kind: Private")}}
	}
	v := &vault{
		Registry: ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "hunter2"}),
		private:  ocitest.NewArtifact(files...),
	}
	v.Push(t, "app", v.private, "1.0.0")
	login := secretNamed("login", corev1.SecretTypeBasicAuth, map[string]string{"username": "jane", "password": "hunter2"})
	ca := secretOf("ca", map[string]string{"ca.crt": string(v.CA())})
	theirs := ca.DeepCopy()
	theirs.Namespace = other
	v.secrets = []client.Object{forHost(login, v.Server.URL), ca, theirs}
	return v
}

// source is the artifact by its digest, or by its tag if it is not empty.
func (v *vault) source(tag string) v1alpha1.OCISource {
	src := v1alpha1.OCISource{
		Repository: v.Host() + "/app", Tag: tag, CARef: v1alpha1.LocalReference{Name: "ca"},
		SecretRef: v1alpha1.LocalReference{Name: "login"},
	}
	if tag == "" {
		src.Digest = v1alpha1.Digest(v.private.Digest())
	}
	return src
}

// fetchAll resolves a source of the team, and stores its layers.
func fetchAll(t *testing.T, r *source.Resolver, src v1alpha1.Source) {
	t.Helper()
	for _, part := range resolved(t, r, src) {
		if _, err := r.Store.Commit(t.Context(), part.Digest, strings.NewReader(content(t, part)), 1<<20); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPrivateArtifactInTheCacheIsForThoseWhoMayReadIt(t *testing.T) {
	t.Parallel()
	charted := newVault(t, ocitest.File{Title: "a-1.0.0.tgz", MediaType: chartType, Content: chartArchive(t)})
	filed := newVault(t)
	chart := v1alpha1.HelmSource{
		Chart: "oci://" + charted.Host() + "/app", Version: "1.0.0", ReleaseName: "a", Namespace: "a",
		SecretRef: v1alpha1.LocalReference{Name: "login"}, CARef: v1alpha1.LocalReference{Name: "ca"},
	}
	chartWithout := chart
	chartWithout.SecretRef.Name = ""
	byDigest, byTag := filed.source(""), filed.source("1.0.0")
	digestWithout, tagWithout := byDigest, byTag
	digestWithout.SecretRef.Name, tagWithout.SecretRef.Name = "", ""
	tests := map[string]struct {
		vault          *vault
		given, without v1alpha1.Source
	}{
		"named by its digest": {filed, v1alpha1.Source{OCI: &byDigest}, v1alpha1.Source{OCI: &digestWithout}},
		"named by its tag":    {filed, v1alpha1.Source{OCI: &byTag}, v1alpha1.Source{OCI: &tagWithout}},
		"a chart":             {charted, v1alpha1.Source{Helm: &chart}, v1alpha1.Source{Helm: &chartWithout}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResolver(t, tc.vault.secrets...)
			fetchAll(t, r, tc.given)

			got, err := r.Resolve(t.Context(), source.Query{Namespace: other, Source: tc.without})

			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "requires credentials (401 Unauthorized)")
			if got != nil {
				t.Errorf("want nothing of another team's, got %d parts", len(got))
			}
		})
	}
}

func TestARegistryThatClaimsAnArtifactHasToGiveIt(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	liar := ocitest.New(t, ocitest.Options{TLS: true})
	liar.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Method != http.MethodHead {
			return false
		}
		w.Header().Set("Content-Type", v.private.MediaType)
		w.Header().Set("Content-Length", "100")
		w.Header().Set("Docker-Content-Digest", v.private.Digest().String())
		return true
	})
	ca := secretOf("liar", map[string]string{"ca.crt": string(liar.CA())})
	ca.Namespace = other
	r := newResolver(t, append(v.secrets, ca)...)
	src := v.source("")
	fetchAll(t, r, v1alpha1.Source{OCI: &src})
	for _, claim := range []v1alpha1.OCISource{{Tag: "1.0.0"}, {Digest: src.Digest}} {
		claim.Repository, claim.CARef.Name = liar.Host()+"/app", "liar"
		_, err := r.Resolve(t.Context(), source.Query{Namespace: other, Source: v1alpha1.Source{OCI: &claim}})
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, liar.Host()+"/app", "404")
	}
}

func TestAManifestIsReadOnceForANamespace(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	var asked sync.WaitGroup
	asked.Add(2)
	v.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		_, _, hasLogin := req.BasicAuth()
		switch {
		case hasLogin && req.Method == http.MethodHead:
			asked.Done()
		case req.Method == http.MethodGet:
			asked.Wait() // both know the digest by now
		}
		return false
	})
	r := newResolver(t, v.secrets...)
	src := v.source("1.0.0")
	var both sync.WaitGroup
	for _, layers := range [][]string{nil, {"a.yaml"}} {
		one := src
		one.Layers = layers
		both.Go(func() {
			if _, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: v1alpha1.Source{OCI: &one}}); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	reads := slices.DeleteFunc(v.Requests(), func(request string) bool { return !strings.HasPrefix(request, "GET") })
	if len(reads) != 1 {
		t.Errorf("want one read, got %q", reads)
	}
}

func TestWhoMayReadAnArtifactIsAskedAgain(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	r := newResolver(t, v.secrets...)
	src := v.source("")
	fetchAll(t, r, v1alpha1.Source{OCI: &src})
	before := len(v.Requests())

	resolved(t, r, v1alpha1.Source{OCI: &src})
	for _, request := range v.Requests()[before:] {
		if strings.HasPrefix(request, "GET") {
			t.Errorf("want no download, which registries count, got %s", request)
		}
	}

	v.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: v1alpha1.Source{OCI: &src}})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "403 Forbidden")
}

func TestAnIndexThatIsInTheCacheAsAFileIsAnIndex(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{})
	inside := ocitest.NewArtifact(ocitest.File{Title: "a.yaml", MediaType: orasType, Content: []byte("kind: A")})
	index := ocitest.NewIndex(inside.Digest())
	registry.Push(t, "app", inside)
	registry.Push(t, "app", index)
	r := newResolver(t)
	// Somebody has the bytes of the index fetched as a file.
	if _, err := r.Store.Commit(t.Context(), index.Digest(), bytes.NewReader(index.Manifest), 1<<20); err != nil {
		t.Fatal(err)
	}
	src := v1alpha1.OCISource{
		Repository: registry.Host() + "/app", Digest: v1alpha1.Digest(index.Digest()), Insecure: new(true),
	}
	for range 2 {
		parts := resolved(t, r, v1alpha1.Source{OCI: &src})
		if len(parts) != 1 || parts[0].Digest != digest.FromString("kind: A") {
			t.Errorf("want the file of the manifest in the index, got %+v", parts)
		}
	}
}
