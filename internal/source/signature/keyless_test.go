//go:build !no_sigstore

package signature_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// release is the identity that may sign.
var release = signature.Identity{Issuer: issuer, Subject: subject}

func same(*trusted) {}

// forms are the ways in which a keyless signature of the artifact is stored.
var forms = map[string]func(inStorage, keyless){
	"a statement in a bundle": func(t inStorage, k keyless) {
		publishBundle(t, t.in, bundleJSON(t, k.statement(t, statement(signPredicate, artifact))), nil)
	},
	"a message in a bundle": func(t inStorage, k keyless) {
		publishBundle(t, t.in, bundleJSON(t, k.message(t, "the artifact")), nil)
	},
	"simple signing": func(t inStorage, k keyless) {
		publishSimple(t, t.in, k.simple(t, payload(artifact)))
	},
}

func TestSignaturesOfAnIdentityAreGood(t *testing.T) {
	t.Parallel()
	sigstore := newInstance(t)
	signer := sigstore.certify(t, subject, issuer)
	identities := map[string][]signature.Identity{
		"exact":                   {release},
		"by patterns":             {{IssuerRegExp: `https://.*\.example\.com`, SubjectRegExp: `.*@example\.com`}},
		"by anchored patterns":    {{IssuerRegExp: `^https://.*\.com$`, SubjectRegExp: `^.*@example\.com$`}},
		"the second of two":       {{Issuer: issuer, Subject: "somebody@example.com"}, release},
		"an alternative pattern":  {{Issuer: issuer, SubjectRegExp: `a@example\.com|release@example\.com`}},
		"a pattern and a literal": {{IssuerRegExp: `https://.*`, Subject: subject}},
	}
	for name, given := range identities {
		for form, publish := range forms {
			t.Run(name+": "+form, func(t *testing.T) {
				t.Parallel()
				registry := newMemory()
				publish(inStorage{t, registry}, signer)
				got, err := newVerifier(t, signature.Policy{
					Identities: given, TrustedRoot: sigstore.trustedRoot(t, same),
				}).Verify(t.Context(), registry, repository, artifact)
				if want := subject + " issued by " + issuer; err != nil || got.By != want {
					t.Errorf("want %s, got %s, %v", want, got.By, err)
				}
			})
		}
	}
}

func TestIdentitiesThatAreNotWanted(t *testing.T) {
	t.Parallel()
	sigstore := newInstance(t)
	root := sigstore.trustedRoot(t, same)
	tests := map[string]struct {
		given     signature.Identity
		subject   string
		issuer    string
		wantedAre string
	}{
		"another subject": {release, "mallory@example.com", issuer, subject + " issued by " + issuer},
		"another issuer":  {release, subject, "https://evil.example.com", subject + " issued by " + issuer},
		"a subject that has the pattern inside": {
			signature.Identity{Issuer: issuer, SubjectRegExp: `release@example\.com`}, "x-release@example.com.evil.org", issuer,
			`/release@example\.com/ issued by ` + issuer,
		},
		"an issuer that has the pattern inside": {
			signature.Identity{IssuerRegExp: `https://a\.org|https://b\.org`, Subject: subject}, subject, "https://a.org.evil.com",
			subject + ` issued by /https://a\.org|https://b\.org/`,
		},
	}
	for name, test := range tests {
		for form, publish := range forms {
			t.Run(name+": "+form, func(t *testing.T) {
				t.Parallel()
				registry := newMemory()
				publish(inStorage{t, registry}, sigstore.certify(t, test.subject, test.issuer))
				_, err := newVerifier(t, signature.Policy{
					Identities: []signature.Identity{test.given}, TrustedRoot: root,
				}).Verify(t.Context(), registry, repository, artifact)
				refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{
					"signed by " + test.subject + " issued by " + test.issuer + ", and not by " + test.wantedAre,
				}}.check(t, err)
			})
		}
	}
}

func TestTrustThatHasExpired(t *testing.T) {
	t.Parallel()
	sigstore := newInstance(t)
	late := func(k *keyless) { k.at = sigstore.now.Add(30 * time.Minute) }
	tests := map[string]struct {
		root   func(*trusted)
		signer func(*keyless)
		says   string
	}{
		"a certificate that expired before the log saw it": {
			same, late, "the certificate had expired when it was used",
		},
		"a certificate that is used too early": {
			same, func(k *keyless) { k.at = sigstore.now.Add(-30 * time.Minute) },
			"the certificate was not valid yet when it was used",
		},
		"a log whose key expired": {
			func(tr *trusted) {
				for _, log := range tr.rekor {
					log.ValidityPeriodEnd = sigstore.now.Add(-time.Minute)
				}
			}, func(*keyless) {}, "the trusted root's key of the transparency log had expired when it was used",
		},
		"an authority that expired": {
			func(tr *trusted) { tr.authority.ValidityPeriodEnd = sigstore.now.Add(-time.Minute) }, func(*keyless) {},
			"the trusted root's certificate authority had expired when it was used",
		},
	}
	for name, test := range tests {
		for form, publish := range forms {
			t.Run(name+": "+form, func(t *testing.T) {
				t.Parallel()
				signer := sigstore.certify(t, subject, issuer)
				test.signer(&signer)
				registry := newMemory()
				publish(inStorage{t, registry}, signer)
				_, err := newVerifier(t, signature.Policy{
					Identities: []signature.Identity{release}, TrustedRoot: sigstore.trustedRoot(t, test.root),
				}).Verify(t.Context(), registry, repository, artifact)
				refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{
					subject + " issued by " + issuer, "cannot be trusted: " + test.says,
				}}.check(t, err)
			})
		}
	}
}

func TestKeylessSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	sigstore, elsewhere := newInstance(t), newInstance(t)
	signer := sigstore.certify(t, subject, issuer)
	good := func(t testing.TB) *protobundle.Bundle {
		t.Helper()
		return signer.statement(t, statement(signPredicate, artifact))
	}
	bundle := func(change func(inMemory, *protobundle.Bundle)) func(inMemory) {
		return func(t inMemory) {
			b := good(t)
			change(t, b)
			publishBundle(t, t.in, bundleJSON(t, b), nil)
		}
	}
	tests := map[string]struct {
		given func(inMemory)
		says  string
	}{
		"a bundle without an entry of the log": {
			bundle(func(_ inMemory, b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }),
			"it has no entry of a transparency log",
		},
		"a payload without an entry of the log": {func(t inMemory) {
			l := signer.simple(t, payload(artifact))
			publishSimple(t, t.in, l.with(rekorAnnotation, ""))
		}, "it has no entry of a transparency log"},
		"a timestamp in place of the log": {func(t inMemory) {
			l := signer.simple(t, payload(artifact)).with(rekorAnnotation, "")
			publishSimple(t, t.in, l.with(timestampAnnotation, timestamp(t, signer, l)))
		}, "it has no entry of a transparency log"},
		"an entry of the log of another instance": {bundle(func(t inMemory, b *protobundle.Bundle) {
			other := signer
			other.instance = elsewhere
			b.VerificationMaterial.TlogEntries = other.message(t, "x").GetVerificationMaterial().GetTlogEntries()
		}), "no transparency log of the trusted root has an entry for it"},
		"an entry for another signature": {bundle(func(t inMemory, b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries = good(t).GetVerificationMaterial().GetTlogEntries()
		}), "transparency log signature does not match"},
		"a proof of another tree": {bundle(func(_ inMemory, b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].InclusionProof.RootHash = make([]byte, 32)
		}), "cannot be trusted: "},
		"a promise that somebody changed": {bundle(func(_ inMemory, b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].IntegratedTime++
		}), "not enough verified log entries"},
		"a proof without a promise and without a time": {bundle(func(_ inMemory, b *protobundle.Bundle) {
			b.VerificationMaterial.TlogEntries[0].InclusionPromise = nil
		}), "timestamps"},
		"a certificate of another instance": {func(t inMemory) {
			other := elsewhere.certify(t, subject, issuer)
			other.instance = sigstore
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
		}, "leaf certificate verification failed"},
		"a certificate without a promise of the log": {func(t inMemory) {
			other := signer
			template := *signer.leaf
			template.ExtraExtensions = signer.leaf.Extensions[len(signer.leaf.Extensions)-2 : len(signer.leaf.Extensions)-1]
			other.leaf = sigstore.issue(t, &template, signer.key.Public())
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
		}, "SCT"},
		"a certificate without an identity": {func(t inMemory) {
			other := signer
			other.leaf = sigstore.issue(t, &x509.Certificate{
				SerialNumber: signer.leaf.SerialNumber, NotBefore: signer.leaf.NotBefore, NotAfter: signer.leaf.NotAfter,
			}, signer.key.Public())
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
		}, "a certificate without an identity"},
		"a certificate whose identity breaks the line": {func(t inMemory) {
			publishBundle(t, t.in, bundleJSON(t,
				sigstore.certify(t, subject, "https://evil\nReady: all is well").message(t, "the artifact")), nil)
		}, "https://evil Ready: all is well"},
		"a signature of another key under the certificate": {func(t inMemory) {
			other := signer
			other.signer = newSigner(t)
			publishBundle(t, t.in, bundleJSON(t, other.message(t, "the artifact")), nil)
		}, "invalid signature"},
		"a chain of certificates in a bundle": {bundle(func(_ inMemory, b *protobundle.Bundle) {
			b.VerificationMaterial.Content = &protobundle.VerificationMaterial_X509CertificateChain{
				X509CertificateChain: &protocommon.X509CertificateChain{
					Certificates: []*protocommon.X509Certificate{{RawBytes: signer.leaf.Raw}},
				},
			}
		}), "cannot be read as a sigstore bundle"},
		"a key in place of a certificate": {func(t inMemory) {
			publishSimple(t, t.in, newSigner(t).simple(t, payload(artifact)))
		}, "signed by a key, and not by " + subject},
		"a payload that was changed to be about the artifact": {func(t inMemory) {
			l := signer.simple(t, payload(another))
			l.payload = payload(artifact)
			publishSimple(t, t.in, l)
		}, "cannot be trusted: "},
	}
	verifier := newVerifier(t, signature.Policy{
		Identities: []signature.Identity{release}, TrustedRoot: sigstore.trustedRoot(t, same),
	})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := newMemory()
			test.given(inMemory{t, registry})
			_, err := verifier.Verify(t.Context(), registry, repository, artifact)
			refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{test.says}}.check(t, err)
		})
	}
}

// timestamp returns the annotation with a timestamp of the instance's authority.
func timestamp(t testing.TB, k keyless, l simple) string {
	t.Helper()
	sig, err := base64.StdEncoding.DecodeString(l.annotations[signatureAnnotation])
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := k.TimestampResponse(sig)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string][]byte{"SignedRFC3161Timestamp": stamp})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestATimestampCanStandInForThePromiseOfTheLog(t *testing.T) {
	t.Parallel()
	sigstore := newInstance(t)
	b := sigstore.certify(t, subject, issuer).message(t, "the artifact")
	stamp, err := sigstore.TimestampResponse(b.GetMessageSignature().GetSignature())
	if err != nil {
		t.Fatal(err)
	}
	b.VerificationMaterial.TlogEntries[0].InclusionPromise = nil
	b.VerificationMaterial.TlogEntries[0].IntegratedTime = 0
	b.VerificationMaterial.TimestampVerificationData = &protobundle.TimestampVerificationData{
		Rfc3161Timestamps: []*protocommon.RFC3161SignedTimestamp{{SignedTimestamp: stamp}},
	}
	registry := newMemory()
	publishBundle(t, registry, bundleJSON(t, b), nil)
	with := func(edit func(*trusted)) *signature.Verifier {
		return newVerifier(t, signature.Policy{
			Identities: []signature.Identity{release}, TrustedRoot: sigstore.trustedRoot(t, edit),
		})
	}

	if _, err := with(same).Verify(t.Context(), registry, repository, artifact); err != nil {
		t.Error(err)
	}
	expired := with(func(tr *trusted) { tr.authority.ValidityPeriodEnd = sigstore.now.Add(-time.Minute) })
	_, err = expired.Verify(t.Context(), registry, repository, artifact)
	refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{
		"the trusted root's certificate authority had expired when it was used",
	}}.check(t, err)
}

func TestAKeyIsWantedAndACertificateSigned(t *testing.T) {
	t.Parallel()
	key := newSigner(t)
	registry := newMemory()
	publishSimple(t, registry, newInstance(t).certify(t, subject, issuer).simple(t, payload(artifact)))
	_, err := newVerifier(t, signature.Policy{Key: key.pem(t)}).Verify(t.Context(), registry, repository, artifact)
	refusal{fault.ClassStall, v1alpha1.SignatureInvalidReason, []string{
		"signed with a certificate for " + subject + " issued by " + issuer + ", and not by " + key.name(t),
	}}.check(t, err)
}

func TestPoliciesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	sigstore := newInstance(t)
	root := sigstore.trustedRoot(t, same)
	of := func(i ...signature.Identity) signature.Policy {
		return signature.Policy{Identities: i, TrustedRoot: root}
	}
	with := func(root []byte) signature.Policy {
		return signature.Policy{Identities: []signature.Identity{release}, TrustedRoot: root}
	}
	tests := map[string]struct {
		given signature.Policy
		says  string
	}{
		"nothing":                  {signature.Policy{}, "needs a key or identities"},
		"a trusted root alone":     {signature.Policy{TrustedRoot: root}, "needs a key or identities"},
		"a key and identities":     {signature.Policy{Key: []byte("x"), Identities: []signature.Identity{release}}, "not both"},
		"no issuer":                {of(signature.Identity{Subject: subject}), "identity 1: needs either issuer"},
		"two issuers":              {of(release, signature.Identity{Issuer: "x", IssuerRegExp: "x", Subject: "x"}), "identity 2"},
		"no subject":               {of(signature.Identity{Issuer: issuer}), "needs either subject"},
		"two subjects":             {of(signature.Identity{Issuer: "x", Subject: "x", SubjectRegExp: "x"}), "needs either subject"},
		"a bad pattern of subject": {of(signature.Identity{Issuer: "x", SubjectRegExp: "("}), "identity 1: error parsing regexp"},
		"a bad pattern of issuer":  {of(signature.Identity{IssuerRegExp: "[", Subject: "x"}), "identity 1: error parsing regexp"},
		"a long subject":           {of(signature.Identity{Issuer: "x", Subject: strings.Repeat("x", 1025)}), "1025 are more"},
		"17 identities":            {of(make([]signature.Identity, 17)...), "identities: 17 are more than the limit of 16"},
		"no trusted root":          {with(nil), "trusted root: is required"},
		"garbage":                  {with([]byte("secret-garbage")), "trusted root: is not a trusted root in JSON"},
		"another JSON":             {with([]byte(`{"password": "secret"}`)), "trusted root: is not a trusted root in JSON"},
		"a trusted root of another version": {
			with([]byte(`{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=9"}`)),
			"trusted root: cannot be used: ",
		},
		"a huge trusted root": {with(make([]byte, 1<<20+1)), "1048577 are more"},
		"a trusted root without an authority": {
			with(sigstore.trustedRoot(t, func(tr *trusted) { tr.authority = nil })), "has no certificate authority",
		},
		"a trusted root without a log": {
			with(sigstore.trustedRoot(t, func(tr *trusted) { tr.rekor = nil })), "has no transparency log",
		},
		"a trusted root without a log of certificates": {
			with(sigstore.trustedRoot(t, func(tr *trusted) { tr.ct = nil })), "has no certificate transparency log",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := signature.NewVerifier(test.given)
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
