//go:build !no_sigstore

package signature_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// web is a Registry over the API of a real one.
type web struct {
	server *httptest.Server
}

var _ storage = web{}

func newWeb(t *testing.T, options ...registry.Option) web {
	t.Helper()
	options = append(options, registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(registry.New(options...))
	t.Cleanup(server.Close)
	return web{server}
}

func (w web) url(format string, args ...any) string {
	return w.server.URL + "/v2/bundles/calico/" + fmt.Sprintf(format, args...)
}

func (w web) get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := w.server.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		return io.ReadAll(resp.Body)
	case http.StatusNotFound:
		return nil, fs.ErrNotExist
	}
	return nil, fmt.Errorf("the server answered %s", resp.Status)
}

func (w web) Referrers(
	ctx context.Context, _ string, d digest.Digest, artifactType string,
) ([]ocispec.Descriptor, error) {
	raw, err := w.get(ctx, w.url("referrers/%s?artifactType=%s", d, artifactType))
	if err != nil {
		return nil, err
	}
	var index ocispec.Index
	return index.Manifests, json.Unmarshal(raw, &index)
}

func (w web) Manifest(ctx context.Context, _, ref string) ([]byte, error) {
	return w.get(ctx, w.url("manifests/%s", ref))
}

func (w web) Blob(ctx context.Context, _ string, d digest.Digest, _ int64) ([]byte, error) {
	return w.get(ctx, w.url("blobs/%s", d))
}

func (w web) pushBlob(t testing.TB, content []byte) ocispec.Descriptor {
	t.Helper()
	d := digest.FromBytes(content)
	w.send(t, http.MethodPost, w.url("blobs/uploads/?digest=%s", d), "application/octet-stream", content)
	return ocispec.Descriptor{Digest: d, Size: int64(len(content))}
}

func (w web) pushManifest(t testing.TB, ref string, manifest any) ocispec.Descriptor {
	t.Helper()
	raw := toJSON(t, manifest)
	mediaType := ocispec.MediaTypeImageManifest
	if _, ok := manifest.(ocispec.Index); ok {
		mediaType = ocispec.MediaTypeImageIndex
	}
	w.send(t, http.MethodPut, w.url("manifests/%s", ref), mediaType, raw)
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(raw), Size: int64(len(raw))}
}

func (w web) send(t testing.TB, method, url, contentType string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := w.server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s %s: %s: %s", method, url, resp.Status, text)
	}
}

func TestSignaturesInARegistryAreGood(t *testing.T) {
	t.Parallel()
	key, sigstore := newSigner(t), newInstance(t)
	identity := sigstore.certify(t, subject, issuer)
	signers := map[string]struct {
		policy  signature.Policy
		by      string
		publish map[string]func(inStorage)
	}{
		"of a key": {
			signature.Policy{Key: key.pem(t)}, key.name(t),
			map[string]func(inStorage){
				"in a bundle": func(t inStorage) {
					publishBundle(t, t.in, bundleJSON(t, key.statement(t, statement(signPredicate, artifact))), nil)
				},
				"by simple signing": func(t inStorage) { publishSimple(t, t.in, key.simple(t, payload(artifact))) },
			},
		},
		"of an identity": {
			signature.Policy{Identities: []signature.Identity{release}, TrustedRoot: sigstore.trustedRoot(t, same)},
			subject + " issued by " + issuer,
			map[string]func(inStorage){
				"in a bundle":       func(t inStorage) { forms["a statement in a bundle"](t, identity) },
				"by simple signing": func(t inStorage) { forms["simple signing"](t, identity) },
			},
		},
	}
	for whose, signer := range signers {
		for where, publish := range signer.publish {
			t.Run(whose+" "+where, func(t *testing.T) {
				t.Parallel()
				storage := newWeb(t, registry.WithReferrersSupport(true))
				publish(inStorage{t, storage})
				got, err := newVerifier(t, signer.policy).Verify(t.Context(), storage, repository, artifact)
				if err != nil || got.By != signer.by {
					t.Errorf("want %s, got %s, %v", signer.by, got.By, err)
				}
			})
		}
	}
}

func TestARegistryWithoutTheReferrersAPI(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	storage := newWeb(t)
	content := bundleJSON(t, key.statement(t, statement(signPredicate, artifact)))
	layer := storage.pushBlob(t, content)
	layer.MediaType = signature.BundleType
	config := storage.pushBlob(t, []byte("{}"))
	config.MediaType = ocispec.MediaTypeEmptyJSON
	manifest := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{layer},
	}
	manifest.SchemaVersion = 2
	desc := storage.pushManifest(t, digest.FromBytes(toJSON(t, manifest)).String(), manifest)
	desc.ArtifactType = signature.BundleType
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{desc}}
	index.SchemaVersion = 2
	storage.pushManifest(t, "sha256-"+artifact.Encoded(), index)

	got, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(t.Context(), storage, repository, artifact)
	if err != nil || got.By != key.name(t) {
		t.Errorf("want %s, got %s, %v", key.name(t), got.By, err)
	}
}

func TestARegistryWithoutSignatures(t *testing.T) {
	t.Parallel()
	verifier := newVerifier(t, signature.Policy{Key: newSigner(t).pem(t)})
	_, err := verifier.Verify(t.Context(), newWeb(t, registry.WithReferrersSupport(true)), repository, artifact)
	refusal{fault.ClassStall, v1alpha1.SignatureMissingReason, []string{"has no cosign signature"}}.check(t, err)
}
