package test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	. "github.com/onsi/gomega"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// ociRegistry is a registry in the test's process that counts requests and can
// require a password.
type ociRegistry struct {
	*httptest.Server
	s *scenario

	mu       sync.Mutex
	password string
	blobs    map[string]int    // downloads by digest
	instead  map[string]string // what is served in place of a blob; empty for a 404
}

func newRegistry(s *scenario) *ociRegistry {
	s.t.Helper()
	r := &ociRegistry{s: s, blobs: make(map[string]int), instead: make(map[string]string)}
	served := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if !r.admits(req) {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.count(req)
		if r.lies(w, req) {
			return
		}
		served.ServeHTTP(w, req)
	}))
	s.t.Cleanup(r.Close)
	return r
}

// ask makes the registry require a password; empty for none.
func (r *ociRegistry) ask(password string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.password = password
}

func (r *ociRegistry) admits(req *http.Request) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, password, _ := req.BasicAuth()
	return r.password == "" || password == r.password
}

// serveInstead serves something else in place of a layer from now on; nothing for a 404.
func (r *ociRegistry) serveInstead(l layer, instead string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.instead[digest.FromString(l.content).String()] = instead
}

func (r *ociRegistry) lies(w http.ResponseWriter, req *http.Request) bool {
	_, d, _ := strings.Cut(req.URL.Path, "/blobs/")
	r.mu.Lock()
	defer r.mu.Unlock()
	instead, ok := r.instead[d]
	switch {
	case !ok || req.Method != http.MethodGet:
		return false
	case instead == "":
		http.NotFound(w, req)
	default:
		_, _ = w.Write([]byte(instead))
	}
	return true
}

func (r *ociRegistry) count(req *http.Request) {
	if _, d, ok := strings.Cut(req.URL.Path, "/blobs/"); ok && req.Method == http.MethodGet {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.blobs[d]++
	}
}

// downloads returns how often each blob was downloaded.
func (r *ociRegistry) downloads() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.blobs)
}

// repository is the name of a repository of this registry.
func (r *ociRegistry) repository(name string) string {
	return strings.TrimPrefix(r.URL, "https://") + "/" + name
}

// layer is a layer to push: its media type, its title and its bytes.
type layer struct{ mediaType, title, content string }

// push publishes an artifact with the layers under a tag and returns its digest.
func (r *ociRegistry) push(name, tag string, layers ...layer) digest.Digest {
	r.s.t.Helper()
	ctx := r.s.t.Context()
	repository, err := remote.NewRepository(r.repository(name))
	r.s.Expect(err).NotTo(HaveOccurred())
	r.mu.Lock()
	password := r.password
	r.mu.Unlock()
	repository.Client = &auth.Client{Client: r.Client(), Credential: auth.StaticCredential(strings.TrimPrefix(r.URL, "https://"),
		auth.Credential{Username: "robot", Password: password})}
	var descriptors []ocispec.Descriptor
	for _, l := range layers {
		d := content.NewDescriptorFromBytes(l.mediaType, []byte(l.content))
		if l.title != "" {
			d.Annotations = map[string]string{ocispec.AnnotationTitle: l.title}
		}
		r.s.Expect(repository.Push(ctx, d, strings.NewReader(l.content))).To(Succeed())
		descriptors = append(descriptors, d)
	}
	manifest, err := oras.PackManifest(ctx, repository, oras.PackManifestVersion1_1, "application/vnd.example.bundle",
		oras.PackManifestOptions{Layers: descriptors})
	r.s.Expect(err).NotTo(HaveOccurred())
	r.s.Expect(repository.Tag(ctx, manifest, tag)).To(Succeed())
	return manifest.Digest
}

// source is a source at the registry.
func (r *ociRegistry) source(name string, change func(*v1alpha1.OCISource)) v1alpha1.Source {
	src := &v1alpha1.OCISource{Repository: r.repository(name)}
	change(src)
	return v1alpha1.Source{OCI: src}
}

func tagged(tag string) func(*v1alpha1.OCISource) {
	return func(src *v1alpha1.OCISource) { src.Tag = tag }
}

// tarball packs files as Flux does.
func (s *scenario) tarball(files map[string]string) string {
	s.t.Helper()
	var buffer bytes.Buffer
	packed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(packed)
	for name, text := range files {
		s.Expect(archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))})).To(Succeed())
		_, err := archive.Write([]byte(text))
		s.Expect(err).NotTo(HaveOccurred())
	}
	s.Expect(archive.Close()).To(Succeed())
	s.Expect(packed.Close()).To(Succeed())
	return buffer.String()
}

// tarballWithLink is an archive with a symbolic link.
func (s *scenario) tarballWithLink() string {
	s.t.Helper()
	var buffer bytes.Buffer
	packed := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(packed)
	s.Expect(archive.WriteHeader(&tar.Header{Name: "link.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})).To(Succeed())
	s.Expect(archive.Close()).To(Succeed())
	s.Expect(packed.Close()).To(Succeed())
	return buffer.String()
}

const (
	yamlLayer = "application/yaml"
	fluxLayer = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

func TestArtifactsOfEveryFormReachReady(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(s *scenario, r *ociRegistry) v1alpha1.Source
	}{
		"a tag with layers of YAML": {func(s *scenario, r *ociRegistry) v1alpha1.Source {
			r.push("bundles/plain", "v1", layer{yamlLayer, "", good(s)},
				layer{yamlLayer, "", configMap("default", s.namespace+"-2", "x")})
			return r.source("bundles/plain", tagged("v1"))
		}},
		"a semver constraint": {func(s *scenario, r *ociRegistry) v1alpha1.Source {
			r.push("bundles/versions", "1.0.0", layer{yamlLayer, "", configMap("default", s.namespace, "old")})
			r.push("bundles/versions", "2.0.0", layer{yamlLayer, "", configMap("default", s.namespace, "too new")})
			r.push("bundles/versions", "1.2.0", layer{yamlLayer, "", good(s)})
			return r.source("bundles/versions", func(src *v1alpha1.OCISource) { src.SemVer = "~1" })
		}},
		"a digest": {func(s *scenario, r *ociRegistry) v1alpha1.Source {
			d := r.push("bundles/pinned", "any", layer{yamlLayer, "", good(s)})
			return r.source("bundles/pinned", func(src *v1alpha1.OCISource) { src.Digest = v1alpha1.Digest(d) })
		}},
		"a Flux artifact": {func(s *scenario, r *ociRegistry) v1alpha1.Source {
			r.push("flux/manifests", "latest", layer{fluxLayer, "", s.tarball(map[string]string{
				"deploy/app.yaml": good(s), "README.md": "not YAML: [",
			})})
			return r.source("flux/manifests", tagged("latest"))
		}},
		"the provider's own layout": {func(s *scenario, _ *ociRegistry) v1alpha1.Source {
			r := ocitest.New(s.t, ocitest.Options{TLS: true})
			r.Push(s.t, "bundles/own", ocitest.NewBundle(
				ocitest.Phase{Name: "first", Manifests: []byte(configMap("default", s.namespace+"-first", "x"))},
				ocitest.Phase{Name: "second", Manifests: []byte(good(s))}), "v1")
			return v1alpha1.Source{OCI: &v1alpha1.OCISource{Repository: r.Host() + "/bundles/own", Tag: "v1"}}
		}},
		"files of oras push": {func(s *scenario, r *ociRegistry) v1alpha1.Source {
			r.push("files", "v1", layer{"application/vnd.oci.image.layer.v1.tar", "notes.txt", "no"},
				layer{"application/octet-stream", "app.yaml.gz", string(s.gzip(good(s)))})
			return r.source("files", func(src *v1alpha1.OCISource) {
				src.Tag, src.Layers = "v1", []string{"app.yaml.gz"}
			})
		}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.SharedWorkload(t)
			s.bundle("art", release("1.0.0", phase("all", tc.given(s, newRegistry(s)))))
			s.set("art")
			s.cluster("vigo", "art", workload)
			s.Eventually(s.ready("art-vigo")).Should(Equal(isReady))
			live, err := s.live(workload, "v1", "ConfigMap", "default", s.namespace)
			s.Expect(err).NotTo(HaveOccurred())
			s.Expect(live.Object["data"]).To(HaveKeyWithValue("value", "good"))
		})
	}
}

func TestATagThatMovesIsDeliveredAndEachBlobDownloadedOnce(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	r := newRegistry(s)
	workload, other := testenv.SharedWorkload(t), testenv.SharedWhole(t)
	r.push("moving", "stable", layer{yamlLayer, "", configMap("default", s.namespace, "one")})
	bundle := s.bundle("moving", release("1.0.0", phase("all", r.source("moving", tagged("stable")))))
	s.set("moving")
	s.cluster("nice", "moving", workload)
	s.cluster("rouen", "moving", other)
	s.Eventually(s.ready("moving-nice")).Should(Equal(isReady))
	s.Eventually(s.ready("moving-rouen")).Should(Equal(isReady))

	moved := r.push("moving", "stable", layer{yamlLayer, "", configMap("default", s.namespace, "two")})
	for _, w := range []*testenv.Workload{workload, other} {
		s.Eventually(func() any {
			live, err := s.live(w, "v1", "ConfigMap", "default", s.namespace)
			if err != nil {
				return err
			}
			return live.Object["data"].(map[string]any)["value"]
		}).Should(Equal("two"))
	}
	s.Eventually(func() []v1alpha1.ArtifactStatus {
		if s.state(bundle, v1alpha1.ReadyCondition)() != isReady {
			return nil
		}
		return bundle.Status.Releases[0].Artifacts
	}).Should(ConsistOf(v1alpha1.ArtifactStatus{
		Phase: "all", Reference: r.repository("moving"), Tag: "stable", Digest: v1alpha1.Digest(moved),
	}))
	for d, n := range r.downloads() {
		s.Expect(n).To(Equal(1), "blob %s", d)
	}
}

func TestARegistryWithAPasswordIsWaitedForAndNamed(t *testing.T) {
	t.Parallel()
	s := newScenario(t)
	r := newRegistry(s)
	r.ask("correct-horse")
	r.push("private", "v1", layer{yamlLayer, "", good(s)})
	bundle := s.bundle("private", release("1.0.0", phase("all", r.source("private", func(src *v1alpha1.OCISource) {
		src.Tag, src.SecretRef.Name = "v1", "robot"
	}))))
	s.set("private")
	s.cluster("tampa", "private", testenv.SharedWorkload(t))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(
		"False ReferenceNotFound: .*Secret robot: it does not exist in this namespace"))

	secret := s.newSecret("robot", map[string]string{
		"username": "robot", "password": "battery-staple", "host": r.Listener.Addr().String(),
	})
	s.create(secret)
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False FetchFailed: .*private:v1.*401"))
	s.change(secret, func() { secret.StringData = map[string]string{"password": "correct-horse"} })
	s.Eventually(s.ready("private-tampa")).Should(Equal(isReady))
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(Equal(isReady))

	// Credentials that stop working are reported; what was delivered stays.
	r.ask("another-password")
	s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp("False FetchFailed: .*private:v1.*401"))
	s.Expect(s.ready("private-tampa")()).To(Equal(isReady))
	for _, password := range []string{"correct-horse", "battery-staple", "another-password"} {
		s.Expect(s.manager.Log()).NotTo(ContainSubstring(password))
	}
}
