package source_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

// trusting is a file of signers beside cosign.pub, which has the public key of one.
func trusting(t *testing.T, signers string, key signaturetest.Key) *signature.SignersFile {
	t.Helper()
	folder := t.TempDir()
	at := filepath.Join(folder, "signers.yaml")
	for path, content := range map[string][]byte{at: []byte(signers), filepath.Join(folder, "cosign.pub"): key.PEM()} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	opened, err := signature.OpenSignersFile(at, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return opened
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
	const flag = "app:v1: the manager's flag --require-signatures asks for a signature, "
	tests := map[string]struct {
		signers    string
		signedBy   []signaturetest.Key
		verify     *v1alpha1.Verify
		want       string
		wantReason string
		wantSays   string
	}{
		"the operator's key, unasked": {
			signers: "signers: [{keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators},
			want: operators.Name(),
		},
		"the tenant's own key alone": {
			signers: "signers: [{keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{tenants}, verify: withKeys(),
			wantReason: v1alpha1.SignatureInvalidReason, wantSays: "of --trusted-signers signers[0]",
		},
		"both": {
			signers: "signers: [{keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators, tenants},
			verify: withKeys(), want: operators.Name() + " and " + tenants.Name(),
		},
		"the operator's key where the source asks for its own": {
			signers: "signers: [{keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators}, verify: withKeys(),
			wantReason: v1alpha1.SignatureInvalidReason, wantSays: "of Secret cosign (a.pub)",
		},
		"nobody": {
			signers:    "signers: [{keyFiles: [cosign.pub]}]",
			wantReason: v1alpha1.SignatureMissingReason, wantSays: "has no cosign signature",
		},
		"a key that is trusted with this repository": {
			signers: "signers: [{repositories: [HOST/app], keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators},
			want: operators.Name(),
		},
		"a key that is trusted with another repository": {
			signers: "signers: [{repositories: [HOST/ap, HOST/app/below], keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators},
			wantReason: v1alpha1.SignatureMissingReason,
			wantSays:   flag + "and --trusted-signers has nobody for this repository and namespace",
		},
		"a key that is trusted with another namespace": {
			signers: "signers: [{namespaces: [other], keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators},
			wantReason: v1alpha1.SignatureMissingReason, wantSays: flag + "and --trusted-signers has nobody",
		},
		"one of several who are trusted": {
			signers: "signers: [{keys: OTHER}, {namespaces: [" + namespace + "], keyFiles: [cosign.pub]}]", signedBy: []signaturetest.Key{operators},
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
			r.Signers = trusting(t, filled(test.signers, registry, other), operators)
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
	first.Signers = trusting(t, "signers: [{keyFiles: [cosign.pub]}]", key)
	resolved(t, first, signedSource(registry, nil))

	changed := newFrom(t, first.Config)
	changed.Signers = trusting(t, "signers: [{keyFiles: [cosign.pub]}]", signaturetest.NewKey(t))
	_, err := changed.Resolve(t.Context(), source.Query{Namespace: namespace, Source: signedSource(registry, nil)})
	if fault.ReasonOf(err, "") != v1alpha1.SignatureInvalidReason {
		t.Errorf("want what another one signed to be refused, got %v", err)
	}
	if first.Trust() == changed.Trust() || newResolver(t).Trust() != "" {
		t.Errorf("want one name for each trust, got %q, %q and %q", first.Trust(), changed.Trust(), newResolver(t).Trust())
	}
}

func TestAFileOfSignersThatBecameWrong(t *testing.T) {
	t.Parallel()
	key := signaturetest.NewKey(t)
	registry := ocitest.New(t, ocitest.Options{TLS: true, Referrers: true})
	registry.Push(t, "app", signedArtifact(), "v1")
	registry.Push(t, "app", key.Bundle(t, signedArtifact().Digest()))
	folder := t.TempDir()
	at := filepath.Join(folder, "signers.yaml")
	write := func(content string) {
		if err := os.WriteFile(at, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("signers: [{keys: " + quoted(key) + "}]")
	now := time.Now()
	signers, err := signature.OpenSignersFile(at, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	r := newResolver(t)
	r.Signers = signers
	before := r.Trust()
	write("signers: [{keys: hunter2}]")
	now = now.Add(time.Second)
	_, err = r.Resolve(t.Context(), source.Query{Namespace: namespace, Source: signedSource(registry, nil)})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.SignatureInvalidReason, "trusted signers: "+at+": signers[0]: ")
	if r.Trust() != before {
		t.Error("want what was verified before to stay so")
	}
}
