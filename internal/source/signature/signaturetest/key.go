package signaturetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// The names that cosign gives what it stores.
const (
	simpleType          = "application/vnd.dev.cosign.simplesigning.v1+json"
	signatureAnnotation = "dev.cosignproject.cosign/signature"
	signPredicate       = "https://sigstore.dev/cosign/sign/v1"
	statementType       = "application/vnd.in-toto+json"
)

// Key is a key pair of ECDSA.
type Key struct {
	private *ecdsa.PrivateKey
	public  []byte
}

// NewKey returns a new key pair.
func NewKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return Key{private, public}
}

// PEM returns the public key in PEM.
func (k Key) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.public})
}

// Name returns the name of the key in results and messages.
func (k Key) Name() string { return "key " + digest.FromBytes(k.public).String() }

// Bundle returns the signature of the artifact with digest d in a sigstore bundle
// that refers to it, as cosign 3 makes it.
func (k Key) Bundle(t testing.TB, d digest.Digest) ocitest.Artifact {
	t.Helper()
	return k.bundle(t, d, signPredicate, 0, nil)
}

// Unreferring returns the signature that Bundle returns without a subject, so that
// no registry lists it as a referrer.
func (k Key) Unreferring(t testing.TB, d digest.Digest) ocitest.Artifact {
	t.Helper()
	made := k.Bundle(t, d)
	var manifest ocispec.Manifest
	if err := json.Unmarshal(made.Manifest, &manifest); err != nil {
		t.Fatal(err)
	}
	manifest.Subject = nil
	made.Manifest = toJSON(t, manifest)
	return made
}

// Attestations returns so many statements of the key about something else than that
// the artifact with digest d is signed. Nothing tells them from signatures before
// they are read, and their annotations may say that they are some.
func (k Key) Attestations(
	t testing.TB, d digest.Digest, n int, annotations map[string]string,
) []ocitest.Artifact {
	t.Helper()
	made := make([]ocitest.Artifact, n)
	for i := range made {
		made[i] = k.bundle(t, d, "https://slsa.dev/provenance/v1", i, annotations)
	}
	return made
}

// bundle returns a statement about d that refers to it.
func (k Key) bundle(
	t testing.TB, d digest.Digest, predicate string, n int, annotations map[string]string,
) ocitest.Artifact {
	t.Helper()
	statement := fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],`+
		`"predicateType":%q,"predicate":{"n":%d}}`, d.Encoded(), predicate, n)
	bundle := toJSON(t, map[string]any{
		"mediaType":            signature.BundleType,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": "any"}},
		"dsseEnvelope": map[string]any{
			"payload": statement, "payloadType": statementType,
			"signatures": []any{map[string]any{"sig": k.sign(t, dsse.PAE(statementType, statement))}},
		},
	})
	return artifact(t, ocispec.Manifest{
		ArtifactType: signature.BundleType,
		Subject:      &ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: d, Size: 1},
		Layers:       []ocispec.Descriptor{{MediaType: signature.BundleType}},
		Annotations:  annotations,
	}, bundle)
}

// List returns the index of what refers to an artifact, for the tag of ListTag:
// it replaces the referrers API where a registry does not know it.
func List(t testing.TB, bundles ...ocitest.Artifact) ocitest.Artifact {
	t.Helper()
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	for _, bundle := range bundles {
		index.Manifests = append(index.Manifests, ocispec.Descriptor{
			MediaType: bundle.MediaType, ArtifactType: signature.BundleType,
			Digest: bundle.Digest(), Size: int64(len(bundle.Manifest)),
		})
	}
	return ocitest.Artifact{MediaType: index.MediaType, Manifest: toJSON(t, index)}
}

// ListTag is the tag of the index of what refers to the artifact with digest d.
func ListTag(d digest.Digest) string { return "sha256-" + d.Encoded() }

// Simple returns the signature of the artifact with digest d by simple signing,
// as cosign 1 and 2 make it, for the tag of SimpleTag.
func (k Key) Simple(t testing.TB, d digest.Digest) ocitest.Artifact {
	t.Helper()
	payload := fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"any.example.com/any"},`+
		`"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
	return artifact(t, ocispec.Manifest{Layers: []ocispec.Descriptor{{
		MediaType:   simpleType,
		Annotations: map[string]string{signatureAnnotation: base64.StdEncoding.EncodeToString(k.sign(t, payload))},
	}}}, payload)
}

// SimpleTag is the tag of simple signatures of the artifact with digest d.
func SimpleTag(d digest.Digest) string { return ListTag(d) + ".sig" }

func (k Key) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(message)
	sig, err := ecdsa.SignASN1(rand.Reader, k.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// artifact completes a manifest with an empty config and the bytes of its layer.
func artifact(t testing.TB, m ocispec.Manifest, layer []byte) ocitest.Artifact {
	t.Helper()
	m.SchemaVersion, m.MediaType = 2, ocispec.MediaTypeImageManifest
	m.Config = ocispec.DescriptorEmptyJSON
	m.Layers[0].Digest, m.Layers[0].Size = digest.FromBytes(layer), int64(len(layer))
	return ocitest.Artifact{
		MediaType: m.MediaType, Manifest: toJSON(t, m),
		Blobs: map[digest.Digest][]byte{m.Config.Digest: []byte("{}"), m.Layers[0].Digest: layer},
	}
}

func toJSON(t testing.TB, v any) []byte {
	t.Helper()
	content, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
