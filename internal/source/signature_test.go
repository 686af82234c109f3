package source_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

// signedArtifact is what the tests of signatures push.
func signedArtifact() ocitest.Artifact {
	return ocitest.NewArtifact(ocitest.File{MediaType: "application/yaml", Content: []byte("kind: A")})
}

// keysSecret is a Secret with public keys and something else.
func keysSecret(keys ...signaturetest.Key) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: meta("cosign"), Data: map[string][]byte{"cosign.key": []byte("hunter2")}}
	for i, key := range keys {
		secret.Data[string(rune('a'+i))+".pub"] = key.PEM()
	}
	return secret
}

// withKeys is the policy of keysSecret.
func withKeys() *v1alpha1.Verify {
	return &v1alpha1.Verify{SecretRef: v1alpha1.LocalReference{Name: "cosign"}}
}

// withIdentities is a policy of an identity.
func withIdentities() *v1alpha1.Verify {
	return &v1alpha1.Verify{
		Identities:     []v1alpha1.Identity{{Issuer: "https://accounts.example.com", Subject: "release@example.com"}},
		TrustedRootRef: v1alpha1.LocalReference{Name: "sigstore"},
	}
}

// trustedRoot is a ConfigMap with the trusted root of an instance of its own.
func trustedRoot(t *testing.T) *corev1.ConfigMap {
	t.Helper()
	sigstore, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	tr, err := root.NewTrustedRoot(root.TrustedRootMediaType01, sigstore.FulcioCertificateAuthorities(),
		sigstore.CTLogs(), sigstore.TimestampingAuthorities(), sigstore.RekorLogs())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.ConfigMap{ObjectMeta: meta("sigstore"), Data: map[string]string{"trusted_root.json": string(text)}}
}

// signedSource is the artifact with the tag v1 at a registry under a policy.
func signedSource(r *ocitest.Registry, v *v1alpha1.Verify) v1alpha1.Source {
	return v1alpha1.Source{OCI: &v1alpha1.OCISource{
		Repository: r.Host() + "/app", Tag: "v1", CARef: testCA, Verify: v,
	}}
}

// repository is the repository app of a registry.
type repository struct {
	*testing.T
	*ocitest.Registry
}

// push publishes an artifact.
func (r repository) push(a ocitest.Artifact, tags ...string) {
	r.Helper()
	r.Push(r.T, "app", a, tags...)
}

func TestASignedArtifactSaysWhoSignedIt(t *testing.T) {
	t.Parallel()
	key, other := signaturetest.NewKey(t), signaturetest.NewKey(t)
	signed := signedArtifact()
	subject := signed.Digest()
	tests := map[string]struct {
		referrers bool
		given     func(repository)
	}{
		"in a bundle": {true, func(r repository) {
			r.push(key.Bundle(r.T, subject))
		}},
		"in a bundle that a tag lists": {false, func(r repository) {
			b := key.Bundle(r.T, subject)
			r.push(b)
			r.push(signaturetest.List(r.T, b), signaturetest.ListTag(subject))
		}},
		"by simple signing": {true, func(r repository) {
			r.push(key.Simple(r.T, subject), signaturetest.SimpleTag(subject))
		}},
		"by another key too": {true, func(r repository) {
			r.push(signaturetest.NewKey(r.T).Bundle(r.T, subject))
			r.push(key.Simple(r.T, subject), signaturetest.SimpleTag(subject))
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: test.referrers})
			registry.Push(t, "app", signed, "v1")
			test.given(repository{t, registry})
			r := newResolver(t, keysSecret(other, key))
			parts := resolved(t, r, signedSource(registry, withKeys()))
			if len(parts) != 1 || parts[0].VerifiedBy != key.Name() {
				t.Errorf("want one part of %s, got %+v", key.Name(), parts)
			}
		})
	}
}

func TestAttestationsOfOthersDoNotHideASignature(t *testing.T) {
	t.Parallel()
	key, hostile := signaturetest.NewKey(t), signaturetest.NewKey(t)
	subject := signedArtifact().Digest()
	pretended := map[string]string{"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"}
	flood := hostile.Attestations(t, subject, 1_000, nil)
	forged := hostile.Attestations(t, subject, 1_000, pretended)
	bundle := key.Bundle(t, subject)
	tests := map[string]struct {
		options ocitest.Options
		given   []ocitest.Artifact
		sign    func(repository)
	}{
		"a bundle behind attestations": {
			ocitest.Options{TLS: true, Referrers: true}, flood, func(r repository) { r.push(bundle) },
		},
		"a bundle behind attestations on many pages": {
			ocitest.Options{TLS: true, Referrers: true, ReferrersPage: 50}, flood, func(r repository) { r.push(bundle) },
		},
		"a bundle behind attestations that claim to be signatures": {
			ocitest.Options{TLS: true, Referrers: true}, forged, func(r repository) { r.push(bundle) },
		},
		"a bundle that only the tag lists": {
			ocitest.Options{TLS: true, Referrers: true}, flood[:20], func(r repository) {
				bare := key.Unreferring(r.T, subject)
				r.push(bare)
				r.push(signaturetest.List(r.T, bare), signaturetest.ListTag(subject))
			},
		},
		"simple signing beside more attestations than are looked at": {
			ocitest.Options{TLS: true, Referrers: true}, append(forged, flood[:100]...), func(r repository) {
				r.push(key.Simple(r.T, subject), signaturetest.SimpleTag(subject))
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := ocitest.New(t, test.options)
			registry.Push(t, "app", signedArtifact(), "v1")
			for _, attestation := range test.given {
				registry.Push(t, "app", attestation)
			}
			test.sign(repository{t, registry})
			parts := resolved(t, newResolver(t, keysSecret(key)), signedSource(registry, withKeys()))
			if len(parts) != 1 || parts[0].VerifiedBy != key.Name() {
				t.Errorf("want one part of %s, got %+v", key.Name(), parts)
			}
		})
	}
}

func TestMoreAttestationsThanAreLookedAtAreReported(t *testing.T) {
	t.Parallel()
	key := signaturetest.NewKey(t)
	registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
	registry.Push(t, "app", signedArtifact(), "v1")
	for _, attestation := range key.Attestations(t, signedArtifact().Digest(), 1_025, nil) {
		registry.Push(t, "app", attestation)
	}
	_, err := newResolver(t, keysSecret(key)).Resolve(t.Context(),
		source.Query{Namespace: namespace, Source: signedSource(registry, withKeys())})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason,
		"more than 1024 attestations, and no signature among the first 1024")
}

func TestOfAnIndexTheIndexIsSigned(t *testing.T) {
	t.Parallel()
	key := signaturetest.NewKey(t)
	inside := signedArtifact()
	index := ocitest.NewIndex(inside.Digest())
	for name, test := range map[string]struct {
		subject    digest.Digest
		wantReason string
	}{
		"the index":          {index.Digest(), ""},
		"what is in it only": {inside.Digest(), v1alpha1.SignatureMissingReason},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
			registry.Push(t, "app", inside)
			registry.Push(t, "app", index, "v1")
			registry.Push(t, "app", key.Bundle(t, test.subject))
			_, err := newResolver(t, keysSecret(key)).Resolve(t.Context(),
				source.Query{Namespace: namespace, Source: signedSource(registry, withKeys())})
			if got := fault.ReasonOf(err, ""); got != test.wantReason {
				t.Errorf("want the reason %q, got %v", test.wantReason, err)
			}
		})
	}
}

func TestASignatureIsVerifiedOncePerDigestAndPolicy(t *testing.T) {
	t.Parallel()
	key, other := signaturetest.NewKey(t), signaturetest.NewKey(t)
	registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
	registry.Push(t, "app", signedArtifact(), "v1")
	registry.Push(t, "app", key.Bundle(t, signedArtifact().Digest()))
	first := newResolver(t, keysSecret(key))
	resolved(t, first, signedSource(registry, withKeys()))

	before := len(registry.Requests())
	restarted := newFrom(t, first.Config)
	parts := resolved(t, restarted, signedSource(registry, withKeys()))
	if parts[0].VerifiedBy != key.Name() {
		t.Errorf("want it known who signed, got %+v", parts)
	}
	for _, request := range registry.Requests()[before:] {
		if strings.HasPrefix(request, "GET") && !strings.HasSuffix(request, "/v2/") {
			t.Errorf("want nothing read again, got %s", request)
		}
	}

	changed := keysSecret(other)
	changed.ResourceVersion = ""
	policy := newFrom(t, first.Config)
	policy.Objects = newResolver(t, changed).Objects
	_, err := policy.Resolve(t.Context(), source.Query{Namespace: namespace, Source: signedSource(registry, withKeys())})
	if fault.ReasonOf(err, "") != v1alpha1.SignatureInvalidReason {
		t.Errorf("want another policy to be asked anew, got %v", err)
	}
}

func TestAnArtifactThatIsNotSignedAsItMust(t *testing.T) {
	t.Parallel()
	key, other := signaturetest.NewKey(t), signaturetest.NewKey(t)
	subject := signedArtifact().Digest()
	serviceAccount, login, noKeys := keysSecret(key), keysSecret(key), keysSecret()
	serviceAccount.Type, login.Type = corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBasicAuth
	broken := keysSecret()
	broken.Data["cosign.pub"] = []byte("-----BEGIN hunter2")
	tests := map[string]struct {
		given      []client.Object
		verify     *v1alpha1.Verify
		push       func(repository)
		wantClass  fault.Class
		wantReason string
		wantSays   string
	}{
		"not at all": {
			given: []client.Object{keysSecret(key)}, verify: withKeys(),
			wantClass: fault.ClassStall, wantReason: v1alpha1.SignatureMissingReason, wantSays: "has no cosign signature: sign it with cosign sign",
		},
		"by another key": {
			given: []client.Object{keysSecret(key)}, verify: withKeys(),
			push:      func(r repository) { r.push(other.Bundle(r.T, subject)) },
			wantClass: fault.ClassStall, wantReason: v1alpha1.SignatureInvalidReason, wantSays: "not signed by " + key.Name() + " of Secret cosign (a.pub)",
		},
		"by a key in place of an identity": {
			given: []client.Object{trustedRoot(t)}, verify: withIdentities(),
			push:      func(r repository) { r.push(key.Bundle(r.T, subject)) },
			wantClass: fault.ClassStall, wantReason: v1alpha1.SignatureInvalidReason,
			wantSays: "signed by a key, and not by release@example.com issued by https://accounts.example.com",
		},
		"a signature of another artifact": {
			given: []client.Object{keysSecret(key)}, verify: withKeys(),
			push: func(r repository) {
				r.push(key.Simple(r.T, digest.FromString("other")), signaturetest.SimpleTag(subject))
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.SignatureInvalidReason, wantSays: subject.String(),
		},
		"the Secret does not exist": {
			verify:    withKeys(),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ReferenceNotFoundReason,
			wantSays: "app:v1: verify: Secret cosign: it does not exist",
		},
		"the Secret has no public key": {
			given: []client.Object{noKeys}, verify: withKeys(),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ReferenceNotFoundReason,
			wantSays: "verify: Secret cosign: it has no public key under a key that ends in .pub",
		},
		"the Secret is of a service account": {
			given: []client.Object{serviceAccount}, verify: withKeys(),
			wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason,
			wantSays: "verify: Secret cosign: it is of the type kubernetes.io/service-account-token, which a source may not name",
		},
		"the Secret is made for something else": {
			given: []client.Object{login}, verify: withKeys(),
			wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason,
			wantSays: "verify: Secret cosign: it is of the type kubernetes.io/basic-auth and not labelled for sources",
		},
		"the public key is none": {
			given: []client.Object{broken}, verify: withKeys(),
			wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason, wantSays: "app:v1: verify: public key of Secret cosign (cosign.pub): holds no PEM",
		},
		"the trusted root does not exist": {
			verify:    withIdentities(),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ReferenceNotFoundReason,
			wantSays: "verify: ConfigMap sigstore: it does not exist",
		},
		"the ConfigMap has no trusted root": {
			given: []client.Object{&corev1.ConfigMap{ObjectMeta: meta("sigstore")}}, verify: withIdentities(),
			wantClass: fault.ClassWait, wantReason: v1alpha1.ReferenceNotFoundReason,
			wantSays: `verify: ConfigMap sigstore: it has no key "trusted_root.json"`,
		},
		"the trusted root is none": {
			given: []client.Object{&corev1.ConfigMap{
				ObjectMeta: meta("sigstore"), Data: map[string]string{"trusted_root.json": "hunter2"},
			}},
			verify: withIdentities(), wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason,
			wantSays: "verify: trusted root of ConfigMap sigstore: ",
		},
		"an identity that matches anything": {
			given: []client.Object{trustedRoot(t)}, verify: &v1alpha1.Verify{
				Identities: []v1alpha1.Identity{{Subject: "a"}}, TrustedRootRef: v1alpha1.LocalReference{Name: "sigstore"},
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason, wantSays: "issuer",
		},
		"a key and identities": {
			given: []client.Object{keysSecret(key), trustedRoot(t)}, verify: &v1alpha1.Verify{
				SecretRef: withKeys().SecretRef, Identities: withIdentities().Identities,
				TrustedRootRef: withIdentities().TrustedRootRef,
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason, wantSays: "not both",
		},
		"a policy of nothing": {
			verify: &v1alpha1.Verify{}, wantClass: fault.ClassStall, wantReason: v1alpha1.ReferenceInvalidReason,
			wantSays: "a policy needs a key or identities",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
			registry.Push(t, "app", signedArtifact(), "v1")
			if test.push != nil {
				test.push(repository{t, registry})
			}
			r := newResolver(t, test.given...)
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: signedSource(registry, test.verify)})
			faulttest.Want(t, err, test.wantClass, test.wantReason, test.wantSays)
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("want nothing secret in %q", err)
			}
		})
	}
}

func TestOnlyArtifactsOfARegistryCanBeSigned(t *testing.T) {
	t.Parallel()
	const flag = ": the manager's configuration asks for a signature, and only artifacts of a registry can be signed"
	tests := map[string]struct {
		given    v1alpha1.Source
		wantSays string
	}{
		"a file on a web server": {
			v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: "https://example.com/a.yaml"}}, "example.com/a.yaml" + flag,
		},
		"a file":      {v1alpha1.Source{File: &v1alpha1.FileSource{Path: "a.yaml"}}, "a.yaml" + flag},
		"inline":      {v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: "kind: A"}}, flag},
		"a ConfigMap": {v1alpha1.Source{ConfigMap: &v1alpha1.ConfigMapSource{Name: "crs"}}, "ConfigMap crs" + flag},
		"a Secret":    {v1alpha1.Source{Secret: &v1alpha1.SecretSource{Name: "crs"}}, "Secret crs" + flag},
		"a chart on a web server": {
			v1alpha1.Source{Helm: &v1alpha1.HelmSource{Chart: "https://example.com/agent", Version: "1.0.0"}},
			"example.com/agent 1.0.0" + flag,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newResolver(t)
			trusting(t, r, "[{keys: OPERATORS}]", signaturetest.NewKey(t))
			if part, ok := r.Static(source.Query{Source: test.given}); ok {
				t.Errorf("want it to be asked for, got %+v", part)
			}
			_, err := r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: test.given})
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SignatureMissingReason, test.wantSays)
		})
	}
	artifact := signedSource(ocitest.New(t, ocitest.Options{TLS: true}), nil)
	if _, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: artifact}); fault.ClassOf(err) != fault.ClassRetry {
		t.Errorf("want an artifact looked for, got %v", err)
	}
	chart := v1alpha1.Source{Helm: &v1alpha1.HelmSource{Chart: "https://example.com/agent", Verify: withKeys()}}
	_, err := newResolver(t).Resolve(t.Context(), source.Query{Namespace: namespace, Source: chart})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SignatureMissingReason, "only artifacts of a registry can be signed")
}
