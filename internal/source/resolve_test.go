package source_test

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const namespace = "default"

func TestMain(m *testing.M) {
	child.Main(helm.RenderTask, helm.ValuesTask)
	os.Exit(m.Run())
}

// newResolver returns a Resolver over a cluster that holds the objects.
func newResolver(t *testing.T, objects ...client.Object) *source.Resolver {
	t.Helper()
	kept, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	web := fetch.DefaultConfig()
	web.AllowCIDRs = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	sources, err := fetch.New(web)
	if err != nil {
		t.Fatal(err)
	}
	registry := oci.DefaultConfig()
	registry.Dial = sources.DialContext
	registries, err := oci.New(registry)
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), clusterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	objects = append(objects, testAuthority(t))
	management := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
	children, err := child.New(child.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	return newFrom(t, source.Config{
		Sources: sources, Children: children, Registries: registries, Kubernetes: "v1.36", Store: kept,
		Settings: source.Settings{Charts: helm.DefaultLimits(), SecretTypes: source.DefaultSecretTypes()},
		Objects:  management, Renderings: rendered.Secrets{Reader: management, Creator: management},
	})
}

// testAuthority is the Secret that testCA names.
func testAuthority(t *testing.T) *corev1.Secret {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return secretNamed(testCA.Name, corev1.SecretTypeOpaque, map[string]string{"ca.crt": string(ca)})
}

func newFrom(t *testing.T, cfg source.Config) *source.Resolver {
	t.Helper()
	r, err := source.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAResolverNeedsWhatItResolvesWith(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*source.Config){
		"web servers and files": func(cfg *source.Config) { cfg.Sources = nil },
		"registries":            func(cfg *source.Config) { cfg.Registries = nil },
		"objects":               func(cfg *source.Config) { cfg.Objects = nil },
		"a Kubernetes version":  func(cfg *source.Config) { cfg.Kubernetes = "" },
		"a store":               func(cfg *source.Config) { cfg.Store = nil },
		"limits of charts":      func(cfg *source.Config) { cfg.Settings.Charts = helm.Limits{} },
		"children":              func(cfg *source.Config) { cfg.Children = nil },
		"renderings":            func(cfg *source.Config) { cfg.Renderings = rendered.Secrets{} },
	}
	for name, without := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := newResolver(t).Config
			without(&cfg)
			if _, err := source.New(cfg); err == nil || !strings.Contains(err.Error(), "required") {
				t.Errorf("want an error that says what is required, got %v", err)
			}
		})
	}
}

func meta(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: namespace, Name: name} }

// content fetches a part whole and checks that it has its digest.
func content(t *testing.T, part source.Part) string {
	t.Helper()
	body, err := part.Fetch(t.Context(), store.Partial{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	if got := digest.FromBytes(text); got != part.Digest {
		t.Errorf("want bytes with the digest %s, got %s", part.Digest, got)
	}
	return string(text)
}

func resolved(t *testing.T, r *source.Resolver, src v1alpha1.Source) []source.Part {
	t.Helper()
	parts, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
	if err != nil {
		t.Fatal(err)
	}
	return parts
}

func TestStaticSourcesAreOnePart(t *testing.T) {
	t.Parallel()
	r := newResolver(t)
	inline := v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: "kind: A"}}
	part, ok := r.Static(source.Query{Source: inline})
	if !ok || content(t, part) != "kind: A" {
		t.Errorf("want the text itself, got %v", part)
	}
	packed := v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
		URL: "https://user:hunter2@example.com/a.tar.gz?token=hunter2", Digest: "sha256:1", Files: []string{"b.yaml"},
	}}
	part, ok = r.Static(source.Query{Source: packed})
	if !ok || part.Format != archive.TarGzip || !slices.Equal(part.Files, []string{"b.yaml"}) {
		t.Errorf("want an archive and its files, got %v", part)
	}
	if said := part.Name + part.From + r.Describe(packed); strings.Contains(said, "hunter2") {
		t.Errorf("want nothing secret in %q", said)
	}
	if _, ok := r.Static(source.Query{Source: v1alpha1.Source{OCI: &v1alpha1.OCISource{}}}); ok {
		t.Error("want an artifact not to be static")
	}
}

func TestTheLayersOfAPhaseHaveAFormat(t *testing.T) {
	t.Parallel()
	if format, ok := archive.FormatOfMediaType(oci.PhaseMediaType, ""); !ok || format != archive.Zstd {
		t.Errorf("want the media type of a phase to be known, got %q, %t", format, ok)
	}
}

func TestAConfigMapIsAPartForEachKey(t *testing.T) {
	t.Parallel()
	r := newResolver(t, &corev1.ConfigMap{
		ObjectMeta: meta("crs"),
		Data:       map[string]string{"b": "two", "a": "one"},
		BinaryData: map[string][]byte{"c": {0x1f, 0x8b, 0}},
	})
	parts := resolved(t, r, v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "crs"}})
	var got []string
	for _, part := range parts {
		got = append(got, part.Name+" "+string(part.Format))
	}
	want := []string{"ConfigMap crs key a ", "ConfigMap crs key b ", "ConfigMap crs key c gzip"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("parts in lexical order (-want +got):\n%s", diff)
	}
	if content(t, parts[0]) != "one" {
		t.Error("want the value of the key")
	}
	parts = resolved(t, r, v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "crs", Keys: []string{"b"}}})
	if len(parts) != 1 || content(t, parts[0]) != "two" {
		t.Errorf("want the one key that is named, got %v", parts)
	}
}

func TestWhatCannotBeResolvedSaysWhy(t *testing.T) {
	t.Parallel()
	r := newResolver(t,
		&corev1.ConfigMap{ObjectMeta: meta("empty")},
		&corev1.Secret{ObjectMeta: meta("opaque"), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"a": []byte("hunter2")}},
		&corev1.Secret{ObjectMeta: meta("odd"), Data: map[string][]byte{"a": []byte("hunter2")}},
	)
	private := func(secret string) v1alpha1.Source {
		return v1alpha1.Source{OCI: &v1alpha1.OCISource{
			Repository: "registry.example.com/a", Tag: "v1", SecretRef: v1alpha1.LocalReference{Name: secret},
		}}
	}
	tests := map[string]struct {
		given      v1alpha1.Source
		wantClass  fault.Class
		wantReason string
		wantWords  string
	}{
		"a ConfigMap that does not exist": {
			v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "gone"}},
			fault.ClassWait, v1alpha1.ReferenceNotFoundReason, "ConfigMap gone: it does not exist in this namespace",
		},
		"a ConfigMap without keys": {
			v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "empty"}},
			fault.ClassWait, v1alpha1.ReferenceNotFoundReason, "ConfigMap empty: it has no keys",
		},
		"a Secret of another type": {
			v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: "opaque"}},
			fault.ClassStall, v1alpha1.ReferenceInvalidReason, "Secret opaque: it is of the type Opaque",
		},
		"credentials that do not exist": {
			private("gone"), fault.ClassWait, v1alpha1.ReferenceNotFoundReason, "registry.example.com/a:v1: Secret gone",
		},
		"credentials that are none": {
			private("odd"), fault.ClassStall, v1alpha1.ReferenceInvalidReason, "registry.example.com/a:v1: Secret odd",
		},
		"nothing": {v1alpha1.Source{}, fault.ClassStall, v1alpha1.SourceInvalidReason, "no kind that is known"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: tc.given})
			if fault.ClassOf(err) != tc.wantClass || fault.ReasonOf(err, "") != tc.wantReason {
				t.Errorf("want %v %s, got %v %s: %v", tc.wantClass, tc.wantReason, fault.ClassOf(err), fault.ReasonOf(err, ""), err)
			}
			if !strings.Contains(err.Error(), tc.wantWords) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want %q and nothing secret in %q", tc.wantWords, err)
			}
		})
	}
}

func TestAnArtifactIsAPartForEachLayer(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	registry.Push(t, "bundles/plain", ocitest.NewArtifact(
		ocitest.File{MediaType: "application/yaml", Content: []byte("kind: A")},
		ocitest.File{MediaType: "application/octet-stream", Title: "b.yaml", Content: []byte("kind: B")},
	), "v1")
	registry.Push(t, "bundles/own", ocitest.NewBundle(
		ocitest.Phase{Name: "crds", Manifests: []byte("kind: C")}, ocitest.Phase{Name: "operator", Manifests: []byte("kind: D")},
	), "v1")
	tests := map[string]struct {
		given v1alpha1.OCISource
		want  []string
	}{
		"all layers":           {v1alpha1.OCISource{Repository: "bundles/plain", Tag: "v1"}, []string{"", ""}},
		"a layer by its title": {v1alpha1.OCISource{Repository: "bundles/plain", Tag: "v1", Layers: []string{"b.yaml"}}, []string{""}},
		"the provider's own layout": {
			v1alpha1.OCISource{Repository: "bundles/own", Tag: "v1"}, []string{"zstd", "zstd"},
		},
		"a phase of it by its name": {
			v1alpha1.OCISource{Repository: "bundles/own", Tag: "v1", Layers: []string{"operator"}}, []string{"zstd"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResolver(t)
			tc.given.Repository = registry.Host() + "/" + tc.given.Repository
			tc.given.CARef = testCA
			var got []string
			for _, part := range resolved(t, r, v1alpha1.Source{OCI: &tc.given}) {
				got = append(got, string(part.Format))
				content(t, part)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("formats (-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolvingAgainDownloadsNothing(t *testing.T) {
	t.Parallel()
	registry := ocitest.New(t, ocitest.Options{TLS: true})
	registry.Push(t, "bundles/own", ocitest.NewBundle(ocitest.Phase{Name: "crds", Manifests: []byte("kind: C")}), "v1")
	r := newResolver(t)
	src := v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: registry.Host() + "/bundles/own", Tag: "v1", CARef: testCA,
	}}
	resolved(t, r, src)
	before := len(registry.Requests())
	resolved(t, r, src)
	for _, request := range registry.Requests()[before:] {
		if strings.HasPrefix(request, "GET") && !strings.HasSuffix(request, "/v2/") {
			t.Errorf("want the tag asked for and nothing downloaded, got %s", request)
		}
	}
}
