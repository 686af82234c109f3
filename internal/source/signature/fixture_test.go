//go:build !no_sigstore

package signature_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	sigalg "github.com/sigstore/sigstore/pkg/signature"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

const (
	repository    = "registry.example.com/bundles/calico"
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
	simpleType    = "application/vnd.dev.cosign.simplesigning.v1+json"

	signatureAnnotation   = "dev.cosignproject.cosign/signature"
	certificateAnnotation = "dev.sigstore.cosign/certificate"
	rekorAnnotation       = "dev.sigstore.cosign/bundle"
	timestampAnnotation   = "dev.sigstore.cosign/rfc3161timestamp"
)

var (
	artifact = digest.FromString("the artifact")
	another  = digest.FromString("another artifact")
)

// storage is where a test publishes signatures.
type storage interface {
	signature.Registry
	pushBlob(t testing.TB, content []byte) ocispec.Descriptor
	pushManifest(t testing.TB, ref string, manifest any) ocispec.Descriptor
}

// scene is a test and where it publishes.
type scene[S storage] struct {
	testing.TB
	in S
}

type (
	inStorage = scene[storage]
	inMemory  = scene[*memory]
)

// memory is a Registry of one repository. What fails is in errs, by the
// reference, the digest, or "referrers".
type memory struct {
	content   map[string][]byte
	referrers []ocispec.Descriptor
	errs      map[string]error
	asked     map[string]int
}

var _ storage = (*memory)(nil)

func newMemory() *memory {
	return &memory{content: map[string][]byte{}, errs: map[string]error{}, asked: map[string]int{}}
}

func (m *memory) Referrers(
	_ context.Context, repo string, d digest.Digest, artifactType string,
) ([]ocispec.Descriptor, error) {
	if repo != repository || d != artifact || artifactType != signature.BundleType {
		return nil, fmt.Errorf("asked for %s of %s@%s", artifactType, repo, d)
	}
	return m.referrers, m.errs["referrers"]
}

func (m *memory) Manifest(_ context.Context, repo, ref string) ([]byte, error) {
	return m.get(repo, ref)
}

func (m *memory) Blob(_ context.Context, repo string, d digest.Digest, limit int64) ([]byte, error) {
	if limit != signature.MaxBytes {
		return nil, fmt.Errorf("asked for %d bytes", limit)
	}
	return m.get(repo, d.String())
}

func (m *memory) get(repo, ref string) ([]byte, error) {
	m.asked[ref]++
	content, ok := m.content[ref]
	switch {
	case repo != repository:
		return nil, fmt.Errorf("asked for %s in %s", ref, repo)
	case m.errs[ref] != nil:
		return nil, m.errs[ref]
	case !ok:
		return nil, fmt.Errorf("%s: %w", ref, fs.ErrNotExist)
	}
	return content, nil
}

func (m *memory) pushBlob(_ testing.TB, content []byte) ocispec.Descriptor {
	d := digest.FromBytes(content)
	m.content[d.String()] = content
	return ocispec.Descriptor{Digest: d, Size: int64(len(content))}
}

func (m *memory) pushManifest(t testing.TB, ref string, manifest any) ocispec.Descriptor {
	t.Helper()
	raw := toJSON(t, manifest)
	desc := m.pushBlob(t, raw)
	m.content[ref] = raw
	if image, ok := manifest.(ocispec.Manifest); ok && image.Subject != nil {
		desc.ArtifactType, desc.Annotations = image.ArtifactType, image.Annotations
		m.referrers = append(m.referrers, desc)
	}
	return desc
}

// publishBundle stores a sigstore bundle as cosign 3 does, and returns its layer.
func publishBundle(t testing.TB, s storage, content []byte, annotations map[string]string) ocispec.Descriptor {
	t.Helper()
	layer := s.pushBlob(t, content)
	layer.MediaType = signature.BundleType
	config := s.pushBlob(t, []byte("{}"))
	config.MediaType = ocispec.MediaTypeEmptyJSON
	manifest := ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: signature.BundleType, Config: config,
		Layers: []ocispec.Descriptor{layer}, Annotations: annotations,
		Subject: &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: artifact},
	}
	manifest.SchemaVersion = 2
	s.pushManifest(t, digest.FromBytes(toJSON(t, manifest)).String(), manifest)
	return layer
}

// simple is a layer of simple signing.
type simple struct {
	payload     []byte
	annotations map[string]string
}

// with returns the layer with another annotation.
func (s simple) with(name, value string) simple {
	s.annotations = maps.Clone(s.annotations)
	s.annotations[name] = value
	return s
}

// publishSimple stores layers of simple signing as cosign 1 and 2 do.
func publishSimple(t testing.TB, s storage, layers ...simple) []ocispec.Descriptor {
	t.Helper()
	config := s.pushBlob(t, []byte("{}"))
	config.MediaType = ocispec.MediaTypeImageConfig
	manifest := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: config}
	manifest.SchemaVersion = 2
	for _, l := range layers {
		desc := s.pushBlob(t, l.payload)
		desc.MediaType, desc.Annotations = simpleType, l.annotations
		manifest.Layers = append(manifest.Layers, desc)
	}
	s.pushManifest(t, sigTag(), manifest)
	return manifest.Layers
}

func sigTag() string { return "sha256-" + artifact.Encoded() + ".sig" }

// payload is a simple signing payload about d.
func payload(d digest.Digest) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"elsewhere.example.com/calico"},`+
		`"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
}

// statement is an in-toto statement about d.
func statement(predicate string, d digest.Digest) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
		`"predicateType":%q,"predicate":{}}`, d.Encoded(), predicate)
}

// signer signs as cosign does with a key of its own.
type signer struct {
	key  crypto.Signer
	hash crypto.Hash
}

func (s signer) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	algorithm, err := sigalg.LoadSigner(s.key, s.hash)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := algorithm.SignMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func (s signer) pem(t testing.TB) []byte {
	t.Helper()
	return publicPEM(t, s.key.Public())
}

func publicPEM(t testing.TB, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// name is what a Result and messages call the key.
func (s signer) name(t testing.TB) string {
	t.Helper()
	block, _ := pem.Decode(s.pem(t))
	return "key " + digest.FromBytes(block.Bytes).String()
}

func (s signer) simple(t testing.TB, payload []byte) simple {
	t.Helper()
	sig := base64.StdEncoding.EncodeToString(s.sign(t, payload))
	return simple{payload: payload, annotations: map[string]string{signatureAnnotation: sig}}
}

// material is how a bundle names a key of one's own.
func (s signer) material() *protobundle.VerificationMaterial {
	return &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_PublicKey{
			PublicKey: &protocommon.PublicKeyIdentifier{Hint: "a hint that nobody needs"},
		},
	}
}

// statement returns a bundle with an in-toto statement.
func (s signer) statement(t testing.TB, statement []byte) *protobundle.Bundle {
	t.Helper()
	const payloadType = "application/vnd.in-toto+json"
	return &protobundle.Bundle{
		MediaType: signature.BundleType, VerificationMaterial: s.material(),
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: statement, PayloadType: payloadType,
			Signatures: []*protodsse.Signature{{Sig: s.sign(t, dsse.PAE(payloadType, statement))}},
		}},
	}
}

// message returns a bundle with a signature of what has digest d.
func (s signer) message(t testing.TB, content string) *protobundle.Bundle {
	t.Helper()
	return messageBundle(s.sign(t, []byte(content)), digest.FromString(content), s.material())
}

func messageBundle(sig []byte, d digest.Digest, material *protobundle.VerificationMaterial) *protobundle.Bundle {
	return &protobundle.Bundle{
		MediaType: signature.BundleType, VerificationMaterial: material,
		Content: &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
			MessageDigest: &protocommon.HashOutput{
				Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: fromHex(d.Encoded()),
			},
			Signature: sig,
		}},
	}
}

func newSigner(t testing.TB) signer {
	t.Helper()
	return newCurveSigner(t, elliptic.P256(), crypto.SHA256)
}

func newCurveSigner(t testing.TB, curve elliptic.Curve, hash crypto.Hash) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, hash}
}

func newEd25519Signer(t testing.TB) signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, crypto.SHA256}
}

func newRSASigner(t testing.TB) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key, crypto.SHA256}
}

func toJSON(t testing.TB, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func bundleJSON(t testing.TB, b *protobundle.Bundle) []byte {
	t.Helper()
	raw, err := protojson.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func fromHex(text string) []byte {
	var raw []byte
	if _, err := fmt.Sscanf(text, "%x", &raw); err != nil {
		panic(err)
	}
	return raw
}

func newVerifier(t testing.TB, p signature.Policy) *signature.Verifier {
	t.Helper()
	v, err := signature.NewVerifier(p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// refusal is what is wanted of an error: its class, its reason, and what its
// message says beside the repository and the digest.
type refusal struct {
	class  fault.Class
	reason string
	says   []string
}

func (want refusal) check(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		t.Fatalf("want an error with %q", want.says)
	}
	if fault.ClassOf(err) != want.class || fault.ReasonOf(err, "none") != want.reason {
		t.Errorf("want class %d and reason %s, got %d and %s: %v",
			want.class, want.reason, fault.ClassOf(err), fault.ReasonOf(err, "none"), err)
	}
	for _, says := range append([]string{repository + "@" + artifact.String() + ": "}, want.says...) {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("want %q in %q", says, err)
		}
	}
	if strings.ContainsAny(err.Error(), "\n\t") {
		t.Errorf("want one line, got %q", err)
	}
}
