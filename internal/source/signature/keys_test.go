//go:build !no_sigstore

package signature_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

func TestSignaturesOfAKeyAreGood(t *testing.T) {
	t.Parallel()
	forms := map[string]func(inStorage, signer){
		"a statement in a bundle": func(t inStorage, key signer) {
			publishBundle(t, t.in, bundleJSON(t, key.statement(t, statement(signPredicate, artifact))), nil)
		},
		"a message in a bundle": func(t inStorage, key signer) {
			publishBundle(t, t.in, bundleJSON(t, key.message(t, "the artifact")), nil)
		},
		"simple signing": func(t inStorage, key signer) {
			publishSimple(t, t.in, key.simple(t, payload(artifact)))
		},
	}
	// A message of a key that does not hash with SHA-256 cannot be verified by the
	// digest of the artifact.
	tests := map[string]struct {
		given     func(testing.TB) signer
		noMessage bool
	}{
		"ECDSA P-256": {given: newSigner},
		"ECDSA P-384 with the hash of cosign": {given: func(t testing.TB) signer {
			t.Helper()
			return newCurveSigner(t, elliptic.P384(), crypto.SHA256)
		}},
		"ECDSA P-384 with the hash of its curve": {given: func(t testing.TB) signer {
			t.Helper()
			return newCurveSigner(t, elliptic.P384(), crypto.SHA384)
		}, noMessage: true},
		"ECDSA P-521 with the hash of its curve": {given: func(t testing.TB) signer {
			t.Helper()
			return newCurveSigner(t, elliptic.P521(), crypto.SHA512)
		}, noMessage: true},
		"Ed25519": {given: newEd25519Signer, noMessage: true},
		"RSA":     {given: newRSASigner},
	}
	for name, test := range tests {
		key := test.given(t)
		for form, publish := range forms {
			t.Run(name+": "+form, func(t *testing.T) {
				t.Parallel()
				registry := newMemory()
				publish(inStorage{t, registry}, key)
				got, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).
					Verify(t.Context(), registry, repository, artifact)
				if test.noMessage && form == "a message in a bundle" {
					refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{"not signed by " + key.name(t)}}.check(t, err)
					return
				}
				if err != nil || got.By != key.name(t) {
					t.Errorf("want %s, got %s, %v", key.name(t), got.By, err)
				}
			})
		}
	}
}

func TestAnyOfSeveralKeysMaySign(t *testing.T) {
	t.Parallel()
	first, second, third := newSigner(t), newEd25519Signer(t), newSigner(t)
	keys := bytes.Join([][]byte{first.pem(t), second.pem(t)}, []byte("\n"))
	for name, key := range map[string]signer{"the first": first, "the second": second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			publishSimple(t, registry, key.simple(t, payload(artifact)))
			got, err := newVerifier(t, signature.Policy{Key: keys}).Verify(t.Context(), registry, repository, artifact)
			if err != nil || got.By != key.name(t) {
				t.Errorf("want %s, got %s, %v", key.name(t), got.By, err)
			}
		})
	}
	registry := newMemory()
	publishSimple(t, registry, third.simple(t, payload(artifact)))
	_, err := newVerifier(t, signature.Policy{Key: keys}).Verify(t.Context(), registry, repository, artifact)
	refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{
		"not signed by " + first.name(t) + " or " + second.name(t),
	}}.check(t, err)
}

func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	key, other := newSigner(t), newSigner(t)
	good := key.simple(t, payload(artifact))
	invalid := func(says ...string) refusal {
		return refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, says}
	}
	missing := refusal{fault.ClassStall, v1alpha1.SignatureMissingReason, []string{"has no cosign signature"}}
	tests := map[string]struct {
		given func(inMemory)
		want  refusal
	}{
		"an artifact without a signature": {func(inMemory) {}, missing},
		"a statement by another key": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, other.statement(t, statement(signPredicate, artifact))), nil)
		}, invalid("not signed by " + key.name(t))},
		"a message by another key": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
		}, invalid("not signed by " + key.name(t))},
		"a payload by another key": {func(t inMemory) {
			publishSimple(t, t.in, other.simple(t, payload(artifact)))
		}, invalid("not signed by " + key.name(t))},
		"a statement about another artifact": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, key.statement(t, statement(signPredicate, another))), nil)
		}, invalid("it is about another artifact, " + another.String())},
		"a statement about nothing": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, key.statement(t, []byte(`{"predicateType":"`+signPredicate+`"}`))), nil)
		}, invalid("it is about no artifact")},
		"a message about another artifact": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, key.message(t, "another artifact")), nil)
		}, invalid("it is about another artifact, " + another.String())},
		"a message that claims the artifact and signs another": {func(t inMemory) {
			sig := key.sign(t, []byte("another artifact"))
			publishBundle(t, t.in, bundleJSON(t, messageBundle(sig, artifact, key.material())), nil)
		}, invalid("not signed by " + key.name(t))},
		"a payload about another artifact": {func(t inMemory) {
			publishSimple(t, t.in, key.simple(t, payload(another)))
		}, invalid("it is about another artifact, " + another.String())},
		"a payload that was changed to be about the artifact": {func(t inMemory) {
			changed := key.simple(t, payload(another))
			changed.payload = payload(artifact)
			publishSimple(t, t.in, changed)
		}, invalid("not signed by " + key.name(t))},
		"a statement that was changed to be about the artifact": {func(t inMemory) {
			b := key.statement(t, statement(signPredicate, another))
			b.GetDsseEnvelope().Payload = statement(signPredicate, artifact)
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}, invalid("not signed by " + key.name(t))},
		"a payload of another type": {func(t inMemory) {
			publishSimple(t, t.in, key.simple(t, bytes.ReplaceAll(payload(artifact), []byte("cosign"), []byte("atomic"))))
		}, invalid(`of type "atomic container image signature"`)},
		"a payload that is not JSON": {func(t inMemory) {
			publishSimple(t, t.in, key.simple(t, []byte("\x00garbage")))
		}, invalid("not JSON of a simple signing payload")},
		"a payload without a signature": {func(t inMemory) {
			publishSimple(t, t.in, simple{payload: payload(artifact)})
		}, invalid(signatureAnnotation + " is missing")},
		"a payload with a signature that is not base64": {func(t inMemory) {
			publishSimple(t, t.in, good.with(signatureAnnotation, "###"))
		}, invalid(signatureAnnotation)},
		"a payload with a certificate that is not PEM": {func(t inMemory) {
			publishSimple(t, t.in, good.with(certificateAnnotation, "garbage"))
		}, invalid(certificateAnnotation)},
		"a payload with a certificate that does not parse": {func(t inMemory) {
			garbage := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("garbage")})
			publishSimple(t, t.in, good.with(certificateAnnotation, string(garbage)))
		}, invalid("no certificate or key that can be read")},
		"a payload with a log entry that is not JSON": {func(t inMemory) {
			publishSimple(t, t.in, good.with(rekorAnnotation, "garbage"))
		}, invalid(rekorAnnotation)},
		"a payload with a log entry of nothing": {func(t inMemory) {
			publishSimple(t, t.in, good.with(rekorAnnotation, `{"Payload":{"body":"e30=","logID":"00"}}`))
		}, invalid("its annotations make no bundle")},
		"a payload with a log entry of a log without an identity": {func(t inMemory) {
			publishSimple(t, t.in, good.with(rekorAnnotation, `{"Payload":{"body":"e30=","logID":"xyz"}}`))
		}, invalid(rekorAnnotation)},
		"a payload with a timestamp that is not JSON": {func(t inMemory) {
			publishSimple(t, t.in, good.with(timestampAnnotation, "garbage"))
		}, invalid(timestampAnnotation)},
		"a bundle that is not JSON": {func(t inMemory) {
			publishBundle(t, t.in, []byte("\x00\n\tgarbage"), nil)
		}, invalid("cannot be read as a sigstore bundle")},
		"an empty bundle": {func(t inMemory) {
			publishBundle(t, t.in, []byte("{}"), nil)
		}, invalid("cannot be read as a sigstore bundle")},
		"a bundle of an unknown version": {func(t inMemory) {
			b := key.statement(t, statement(signPredicate, artifact))
			b.MediaType = "application/vnd.dev.sigstore.bundle.v0.9+json"
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}, invalid("v0.9 is not yet supported")},
		"a bundle without a signature": {func(t inMemory) {
			b := key.statement(t, statement(signPredicate, artifact))
			b.GetDsseEnvelope().Signatures = nil
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}, invalid("not signed by")},
		"a statement of another format": {func(t inMemory) {
			b := key.statement(t, statement(signPredicate, artifact))
			b.GetDsseEnvelope().PayloadType = "text/plain"
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}, invalid("its statement cannot be read")},
		"a bundle without an envelope's payload": {func(t inMemory) {
			b := key.statement(t, nil)
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}, invalid("cannot be read")},
		"an attestation by the right key": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t, key.statement(t, statement("https://slsa.dev/provenance/v1", artifact))), nil)
		}, missing},
		"a huge bundle": {func(t inMemory) {
			publishBundle(t, t.in, make([]byte, signature.MaxBytes+1), nil)
		}, refusal{fault.ClassStall, v1alpha1.LimitExceededReason, []string{"131073 bytes are more than the limit of 131072"}}},
		"a manifest with a missing layer": {func(t inMemory) {
			layer := publishBundle(t, t.in, bundleJSON(t, key.message(t, "the artifact")), nil)
			delete(t.in.content, layer.Digest.String())
		}, invalid("its layer is not in the registry")},
		"a referrer without a manifest": {func(t inMemory) {
			t.in.referrers = []ocispec.Descriptor{{Digest: another}}
		}, invalid("bundle " + another.String() + ": its manifest is not in the registry")},
		"a referrer whose digest is none": {func(t inMemory) {
			t.in.referrers = []ocispec.Descriptor{{Digest: "../../x"}}
		}, invalid("its digest is not one")},
		"a referrer of two layers": {func(t inMemory) {
			t.in.pushManifest(t, "x", ocispec.Manifest{
				Layers: make([]ocispec.Descriptor, 2), Subject: &ocispec.Descriptor{Digest: artifact},
			})
		}, invalid("has 2 layers")},
		"a layer whose digest is none": {func(t inMemory) {
			t.in.pushManifest(t, sigTag(), ocispec.Manifest{
				Layers: []ocispec.Descriptor{{MediaType: simpleType, Digest: "sha256:../x"}},
			})
		}, invalid("the digest of its layer is not one")},
		"a manifest that is not JSON": {func(t inMemory) {
			t.in.content[sigTag()] = []byte("garbage")
		}, invalid("tag "+sigTag(), "not JSON of a manifest")},
		"a huge manifest": {func(t inMemory) {
			t.in.content[sigTag()] = make([]byte, signature.MaxManifestBytes+1)
		}, refusal{fault.ClassStall, v1alpha1.LimitExceededReason, []string{"4194305 bytes are more"}}},
		"a manifest of many layers": {func(t inMemory) {
			t.in.content[sigTag()] = []byte(`{"layers":[` + strings.Repeat("{},", 60_000) + `{}]}`)
		}, refusal{fault.ClassStall, v1alpha1.LimitExceededReason, []string{"more than 50000 keys and values"}}},
		"a manifest of other layers": {func(t inMemory) {
			t.in.pushManifest(t, sigTag(), ocispec.Manifest{Layers: []ocispec.Descriptor{{MediaType: "text/plain"}}})
		}, missing},
	}
	verifier := newVerifier(t, signature.Policy{Key: key.pem(t)})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			test.given(inMemory{t, registry})
			got, err := verifier.Verify(t.Context(), registry, repository, artifact)
			test.want.check(t, err)
			if got != (signature.Result{}) {
				t.Errorf("want no result, got %v", got)
			}
		})
	}
}

func TestALayerIsBoundedWhateverItsManifestSays(t *testing.T) {
	t.Parallel()
	huge := make([]byte, signature.MaxBytes+1)
	tests := map[string]struct {
		size  int64
		asked int
		says  string
	}{
		"a size that is honest is not fetched": {signature.MaxBytes + 1, 0, "131073 bytes are more"},
		"a size that is larger still":          {1 << 40, 0, "1099511627776 bytes are more"},
		"a size that is a lie":                 {1, 1, "131073 bytes are more"},
		"a size that is negative":              {-1, 1, "131073 bytes are more"},
	}
	verifier := newVerifier(t, signature.Policy{Key: newSigner(t).pem(t)})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			layer := registry.pushBlob(t, huge)
			layer.MediaType, layer.Size = simpleType, test.size
			registry.pushManifest(t, sigTag(), ocispec.Manifest{Layers: []ocispec.Descriptor{layer}})
			_, err := verifier.Verify(t.Context(), registry, repository, artifact)
			refusal{fault.ClassStall, v1alpha1.LimitExceededReason, []string{test.says}}.check(t, err)
			if got := registry.asked[layer.Digest.String()]; got != test.asked {
				t.Errorf("want it fetched %d times, got %d", test.asked, got)
			}
		})
	}
}

func TestOneGoodSignatureAmongSeveralSuffices(t *testing.T) {
	t.Parallel()
	key, other := newSigner(t), newSigner(t)
	refused := fault.Retry(v1alpha1.FetchFailedReason, errors.New("the server answered 500"))
	tests := map[string]func(inMemory){
		"the last of as many payloads as are looked at": func(t inMemory) {
			layers := make([]simple, 0, signature.MaxSignatures)
			for range signature.MaxSignatures - 1 {
				layers = append(layers, other.simple(t, payload(artifact)))
			}
			publishSimple(t, t.in, append(layers, key.simple(t, payload(artifact)))...)
		},
		"a payload after bundles that are not good": func(t inMemory) {
			publishBundle(t, t.in, []byte("garbage"), nil)
			publishBundle(t, t.in, make([]byte, signature.MaxBytes+1), nil)
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
			publishSimple(t, t.in, key.simple(t, payload(artifact)))
		},
		"a bundle after attestations that say what they are": func(t inMemory) {
			for n := range 2 * signature.MaxSignatures {
				publishBundle(t, t.in, fmt.Append(nil, n), map[string]string{
					"dev.sigstore.bundle.predicateType": "https://slsa.dev/provenance/v1",
				})
			}
			publishBundle(t, t.in, bundleJSON(t, key.message(t, "the artifact")), map[string]string{
				"dev.sigstore.bundle.predicateType": signPredicate,
			})
		},
		"a bundle after one that the registry does not deliver": func(t inMemory) {
			layer := publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
			t.in.errs[layer.Digest.String()] = refused
			publishBundle(t, t.in, bundleJSON(t, key.message(t, "the artifact")), nil)
		},
		"a payload in a registry without referrers": func(t inMemory) {
			t.in.errs["referrers"] = refused
			publishSimple(t, t.in, key.simple(t, payload(artifact)))
		},
	}
	verifier := newVerifier(t, signature.Policy{Key: key.pem(t)})
	for name, publish := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			publish(inMemory{t, registry})
			got, err := verifier.Verify(t.Context(), registry, repository, artifact)
			if err != nil || got.By != key.name(t) {
				t.Errorf("want %s, got %s, %v", key.name(t), got.By, err)
			}
		})
	}
}

func TestNoMoreThanSoManySignaturesAreLookedAt(t *testing.T) {
	t.Parallel()
	key, other := newSigner(t), newSigner(t)
	attestation := bundleJSON(t, key.statement(t, statement("https://slsa.dev/provenance/v1", artifact)))
	tests := map[string]struct {
		given func(inMemory)
		says  string
	}{
		"a payload too many": {func(t inMemory) {
			layers := make([]simple, 0, signature.MaxSignatures+1)
			for n := range signature.MaxSignatures {
				bad := other.simple(t, append(payload(artifact), strings.Repeat(" ", n)...))
				layers = append(layers, bad)
			}
			publishSimple(t, t.in, append(layers, key.simple(t, payload(artifact)))...)
		}, "more than 1024 signatures and attestations, and none of the first 1024 is good: "},
		"an attestation too many that does not say what it is": {func(t inMemory) {
			for n := range signature.MaxSignatures + 1 {
				publishBundle(t, t.in, append(attestation, strings.Repeat(" ", n)...), nil)
			}
		}, "more than 1024 attestations, and no signature among the first 1024"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			test.given(inMemory{t, registry})
			_, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(t.Context(), registry, repository, artifact)
			refusal{fault.ClassStall, v1alpha1.LimitExceededReason, []string{test.says}}.check(t, err)
		})
	}
}

func TestErrorsOfTheRegistryKeepTheirClass(t *testing.T) {
	t.Parallel()
	key, other := newSigner(t), newSigner(t)
	failed := fault.Retry(v1alpha1.FetchFailedReason, errors.New("the server answered 500"))
	throttled := fault.Wait(v1alpha1.ThrottledReason, time.Minute, errors.New("the server answered 429"))
	retried := refusal{fault.ClassRetry, v1alpha1.FetchFailedReason, []string{"the server answered 500"}}
	tests := map[string]struct {
		given func(inMemory)
		want  refusal
	}{
		"referrers that fail": {func(t inMemory) { t.in.errs["referrers"] = failed }, retried},
		"a tag that fails":    {func(t inMemory) { t.in.errs[sigTag()] = failed }, retried},
		"the tag of referrers that fails": {func(t inMemory) {
			t.in.errs[strings.TrimSuffix(sigTag(), ".sig")] = failed
		}, retried},
		"a registry that asks to wait": {func(t inMemory) {
			t.in.errs["referrers"] = throttled
		}, refusal{fault.ClassWait, v1alpha1.ThrottledReason, []string{"429"}}},
		"a layer that fails beside a bad signature": {func(t inMemory) {
			layers := publishSimple(t, t.in, other.simple(t, payload(artifact)), key.simple(t, payload(artifact)))
			t.in.errs[layers[1].Digest.String()] = failed
			t.in.content[layers[0].Digest.String()] = []byte("x")
		}, retried},
		"a layer that fails among too many": {func(t inMemory) {
			layers := make([]simple, 0, signature.MaxSignatures+1)
			for n := range signature.MaxSignatures + 1 {
				layers = append(layers, other.simple(t, append(payload(artifact), strings.Repeat(" ", n)...)))
			}
			t.in.errs[publishSimple(t, t.in, layers...)[3].Digest.String()] = failed
		}, retried},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			test.given(inMemory{t, registry})
			_, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(t.Context(), registry, repository, artifact)
			test.want.check(t, err)
		})
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	registry := newMemory()
	publishSimple(t, registry, key.simple(t, payload(artifact)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(ctx, registry, repository, artifact)
	if !errors.Is(err, context.Canceled) || fault.ClassOf(err) != fault.ClassRetry {
		t.Errorf("want the context's error, got %v", err)
	}
}

func TestOnlySHA256IsVerified(t *testing.T) {
	t.Parallel()
	verifier := newVerifier(t, signature.Policy{Key: newSigner(t).pem(t)})
	for _, d := range []digest.Digest{"", "sha256:x", digest.SHA512.FromString("x")} {
		_, err := verifier.Verify(t.Context(), newMemory(), repository, d)
		if fault.ReasonOf(err, "") != v1alpha1.SourceInvalidReason || fault.ClassOf(err) != fault.ClassStall {
			t.Errorf("%q: want a terminal error, got %v", d, err)
		}
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	der, err := x509.MarshalPKCS8PrivateKey(key.key)
	if err != nil {
		t.Fatal(err)
	}
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	tests := map[string]struct {
		given []byte
		says  string
	}{
		"not PEM":              {[]byte("secret-garbage"), "public key: holds no PEM"},
		"a private key":        {private, `public key: key 1: "PRIVATE KEY" is not a public key`},
		"garbage in PEM":       {pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")}), "key 1"},
		"garbage after a key":  {append(key.pem(t), "secret-garbage"...), "what follows key 1 is not PEM"},
		"a second private key": {append(key.pem(t), private...), "key 2"},
		"a curve that is too small": {
			newCurveSigner(t, elliptic.P224(), crypto.SHA256).pem(t), "curve",
		},
		"RSA that is too small":     {rsaPEM(t, 1024), "RSA of 1024 bits is not accepted, 2048 to 8192 are"},
		"RSA that is too large":     {rsaPEM(t, 16384), "RSA of 16384 bits is not accepted"},
		"a kind that does not sign": {agreementPEM(t), "only ECDSA, Ed25519 and RSA are accepted"},
		"17 keys":                   {bytes.Repeat(key.pem(t), 17), "keys: 17 are more than the limit of 16"},
		"too many bytes": {
			bytes.Repeat([]byte("x"), 64<<10+1), "bytes: 65537 are more than the limit of 65536",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := signature.NewVerifier(signature.Policy{Key: test.given})
			if fault.ClassOf(err) != fault.ClassStall || fault.ReasonOf(err, "") != v1alpha1.ReferenceInvalidReason {
				t.Fatalf("want a terminal error, got %v", err)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("want %q in %q", test.says, err)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q shows what it was given", err)
			}
		})
	}
}

// rsaPEM returns a public key whose modulus is no product of primes: nobody
// signs with it.
func rsaPEM(t *testing.T, bits int) []byte {
	t.Helper()
	modulus := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	return publicPEM(t, &rsa.PublicKey{N: modulus, E: 65537})
}

func agreementPEM(t *testing.T) []byte {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return publicPEM(t, key.PublicKey())
}

func TestTheTagThatStandsInForReferrers(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	registry := newMemory()
	publishBundle(t, registry, bundleJSON(t, key.message(t, "the artifact")), nil)
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: append(
		[]ocispec.Descriptor{{ArtifactType: "application/spdx+json", Digest: another}}, registry.referrers...)}
	registry.referrers = nil
	registry.pushManifest(t, "sha256-"+artifact.Encoded(), index)
	got, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(t.Context(), registry, repository, artifact)
	if err != nil || got.By != key.name(t) {
		t.Errorf("want %s, got %s, %v", key.name(t), got.By, err)
	}
	if registry.asked[another.String()] > 0 {
		t.Error("want only bundles to be fetched")
	}
}
