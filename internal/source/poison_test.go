package source_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// newResolverIn returns a resolver of a process that has just started with the cache
// directory dir.
func newResolverIn(t *testing.T, dir string, objects ...client.Object) *source.Resolver {
	t.Helper()
	kept, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kept.Close() })
	cfg := newResolver(t, objects...).Config
	cfg.Store = kept
	return newFrom(t, cfg)
}

// poison replaces a text by another of the same size in every file below folder that
// has it, and fails the test if there is none.
func poison(t *testing.T, folder, before, after string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(before) != len(after) {
		t.Fatal(err, before, after)
	}
	poisoned := 0
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(content, []byte(before)) {
			continue
		}
		poisoned++
		if err := os.WriteFile(name, bytes.ReplaceAll(content, []byte(before), []byte(after)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if poisoned == 0 {
		t.Fatalf("want %q in a file of %s", before, folder)
	}
}

func TestWhoSignedIsNotReadFromAPoisonedVolume(t *testing.T) {
	t.Parallel()
	key := signaturetest.NewKey(t)
	registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
	registry.Push(t, "app", signedArtifact(), "v1")
	registry.Push(t, "app", key.Bundle(t, signedArtifact().Digest()))
	dir := t.TempDir()
	running := newResolverIn(t, dir, keysSecret(key))
	resolved(t, running, signedSource(registry, withKeys()))
	for when, r := range map[string]*source.Resolver{
		"while it runs": running, "before it starts": newResolverIn(t, dir, keysSecret(key)),
	} {
		poison(t, filepath.Join(dir, "derived", "verified-v1"), key.Name(), strings.Repeat("x", len(key.Name())))
		if got := resolved(t, r, signedSource(registry, withKeys()))[0].VerifiedBy; got != key.Name() {
			t.Errorf("%s: want %s to have signed it, got %s", when, key.Name(), got)
		}
	}
}

func TestWhatAChartRendersToIsNotReadFromAPoisonedVolume(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{"templates/x.yaml": "kind: X\n"})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	t.Cleanup(web.Close)
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)),
	}}
	dir := t.TempDir()
	running := newResolverIn(t, dir)
	want := resolved(t, running, src)[0].Digest
	evil := digest.FromString("kind: Evil").String()
	for when, r := range map[string]*source.Resolver{
		"while it runs": running, "before it starts": newResolverIn(t, dir),
	} {
		poison(t, filepath.Join(dir, "derived", "rendered-v2"), want.String(), evil)
		if got := resolved(t, r, src)[0].Digest; got != want {
			t.Errorf("%s: want %s, got %s", when, want, got)
		}
	}
}

func TestAChartIsNotRenderedFromAPoisonedVolume(t *testing.T) {
	t.Parallel()
	chart := packedChart(t, map[string]string{"templates/x.yaml": "kind: X\n"})
	evil := packedChart(t, map[string]string{"templates/x.yaml": "kind: Y\n"})
	web := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(chart) }))
	t.Cleanup(web.Close)
	src := v1alpha1.Source{Helm: &v1alpha1.HelmSource{
		Chart: web.URL + "/web.tgz", Version: "1.2.3", ReleaseName: "web", Namespace: "shop",
		Digest: v1alpha1.Digest(digest.FromBytes(chart)),
	}}
	dir := t.TempDir()
	want := resolved(t, newResolverIn(t, dir), src)[0].Digest
	if err := os.WriteFile(filepath.Join(dir, "sha256", digest.FromBytes(chart).Encoded()), evil, 0o600); err != nil {
		t.Fatal(err)
	}

	restarted := newResolverIn(t, dir)
	_, err := restarted.Resolve(t.Context(), source.Query{Namespace: namespace, Source: src})
	if err == nil || !strings.Contains(err.Error(), "the cache directory is damaged: it is fetched again") {
		t.Errorf("want what is in the volume refused, got %v", err)
	}
	if got := resolved(t, restarted, src)[0].Digest; got != want {
		t.Errorf("want it fetched and rendered again as %s, got %s", want, got)
	}
}
