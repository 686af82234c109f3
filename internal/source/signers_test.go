package source_test

import (
	"strconv"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

// trusting has a resolver trust signers: a list as YAML, in which OPERATORS is a public key.
func trusting(t *testing.T, r *source.Resolver, signers string, key signaturetest.Key) {
	t.Helper()
	var entries []struct {
		Repositories, Namespaces []string
		Keys                     string
	}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(signers, "OPERATORS", quoted(key))), &entries); err != nil {
		t.Fatal(err)
	}
	trusted := make([]signature.Signer, len(entries))
	for i, entry := range entries {
		trusted[i] = signature.Signer{
			Repositories: entry.Repositories, Namespaces: entry.Namespaces, Policy: signature.Policy{Key: []byte(entry.Keys)},
		}
	}
	settings := r.Settings
	var err error
	if settings.Signers, err = signature.NewSigners(trusted); err != nil {
		t.Fatal(err)
	}
	r.Configure(settings)
}

// filled puts the host of a registry and the public key of another one into a file.
func filled(signers string, r *ocitest.Registry, other signaturetest.Key) string {
	return strings.NewReplacer("HOST", r.Host(), "OTHER", quoted(other)).Replace(signers)
}

// quoted is a public key as YAML.
func quoted(key signaturetest.Key) string { return strconv.Quote(string(key.PEM())) }

func TestTheManagerSaysWhoHasToHaveSigned(t *testing.T) {
	t.Parallel()
	operators, tenants := signaturetest.NewKey(t), signaturetest.NewKey(t)
	subject := signedArtifact().Digest()
	const flag = "app:v1: the manager's configuration asks for a signature, "
	tests := map[string]struct {
		signers    string
		signedBy   []signaturetest.Key
		verify     *v1alpha1.Verify
		want       string
		wantReason string
		wantSays   string
	}{
		"the operator's key, unasked": {
			signers: "[{keys: OPERATORS}]", signedBy: []signaturetest.Key{operators},
			want: operators.Name(),
		},
		"the tenant's own key alone": {
			signers: "[{keys: OPERATORS}]", signedBy: []signaturetest.Key{tenants}, verify: withKeys(),
			wantReason: v1alpha1.SignatureInvalidReason, wantSays: "of the manager's configuration, signatures.signers[0]",
		},
		"both": {
			signers: "[{keys: OPERATORS}]", signedBy: []signaturetest.Key{operators, tenants},
			verify: withKeys(), want: operators.Name() + " and " + tenants.Name(),
		},
		"the operator's key where the source asks for its own": {
			signers: "[{keys: OPERATORS}]", signedBy: []signaturetest.Key{operators}, verify: withKeys(),
			wantReason: v1alpha1.SignatureInvalidReason, wantSays: "of Secret cosign (a.pub)",
		},
		"nobody": {
			signers:    "[{keys: OPERATORS}]",
			wantReason: v1alpha1.SignatureMissingReason, wantSays: "has no cosign signature",
		},
		"a key that is trusted with this repository": {
			signers: "[{repositories: [HOST/app], keys: OPERATORS}]", signedBy: []signaturetest.Key{operators},
			want: operators.Name(),
		},
		"a key that is trusted with another repository": {
			signers: "[{repositories: [HOST/ap, HOST/app/below], keys: OPERATORS}]", signedBy: []signaturetest.Key{operators},
			wantReason: v1alpha1.SignatureMissingReason,
			wantSays:   flag + "and signatures.signers has nobody for this repository and namespace",
		},
		"a key that is trusted with another namespace": {
			signers: "[{namespaces: [other], keys: OPERATORS}]", signedBy: []signaturetest.Key{operators},
			wantReason: v1alpha1.SignatureMissingReason, wantSays: flag + "and signatures.signers has nobody",
		},
		"one of several who are trusted": {
			signers: "[{keys: OTHER}, {namespaces: [" + namespace + "], keys: OPERATORS}]", signedBy: []signaturetest.Key{operators},
			want: operators.Name(),
		},
	}
	other := signaturetest.NewKey(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
			registry.Push(t, "app", signedArtifact(), "v1")
			for _, key := range test.signedBy {
				registry.Push(t, "app", key.Bundle(t, subject))
			}
			r := newResolver(t, keysSecret(tenants))
			trusting(t, r, filled(test.signers, registry, other), operators)
			parts, err := r.Resolve(t.Context(), source.Query{
				Namespace: namespace, Source: signedSource(registry, test.verify),
			})
			if test.wantReason != "" {
				faulttest.Want(t, err, fault.ClassStall, test.wantReason, test.wantSays)
				return
			}
			if err != nil || len(parts) != 1 || parts[0].VerifiedBy != test.want {
				t.Errorf("want it signed by %s, got %+v, %v", test.want, parts, err)
			}
		})
	}
}

func TestWhomAManagerTrustsCanChange(t *testing.T) {
	t.Parallel()
	key := signaturetest.NewKey(t)
	registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
	registry.Push(t, "app", signedArtifact(), "v1")
	registry.Push(t, "app", key.Bundle(t, signedArtifact().Digest()))
	first := newResolver(t)
	trusting(t, first, "[{keys: OPERATORS}]", key)
	resolved(t, first, signedSource(registry, nil))

	before := first.Trust()
	trusting(t, first, "[{keys: OPERATORS}]", signaturetest.NewKey(t))
	_, err := first.Resolve(t.Context(), source.Query{Namespace: namespace, Source: signedSource(registry, nil)})
	if fault.ReasonOf(err, "") != v1alpha1.SignatureInvalidReason {
		t.Errorf("want what another one signed to be refused, got %v", err)
	}
	if before == first.Trust() || newResolver(t).Trust() != "" {
		t.Errorf("want one name for each trust, got %q, %q and %q", before, first.Trust(), newResolver(t).Trust())
	}
}
