//go:build !no_sigstore

package signature_test

import (
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

// FuzzBundle checks that no bundle makes the verifier panic, and that no bundle
// is good but one of the right key.
func FuzzBundle(f *testing.F) {
	sigstore := newInstance(f)
	identity, key := sigstore.certify(f, subject, issuer), newSigner(f)
	f.Add(bundleJSON(f, identity.statement(f, statement(signPredicate, artifact))))
	f.Add(bundleJSON(f, identity.message(f, "the artifact")))
	f.Add(bundleJSON(f, key.statement(f, statement(signPredicate, artifact))))
	f.Add([]byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}`))
	nobody := signature.Identity{Issuer: issuer, Subject: "nobody@example.com"}
	policies := []*signature.Verifier{
		newVerifier(f, signature.Policy{Key: newSigner(f).pem(f)}),
		newVerifier(f, signature.Policy{
			Identities: []signature.Identity{nobody}, TrustedRoot: sigstore.trustedRoot(f, same),
		}),
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		registry := newMemory()
		publishBundle(t, registry, content, nil)
		for _, v := range policies {
			_, err := v.Verify(t.Context(), registry, repository, artifact)
			if fault.ClassOf(err) != fault.ClassStall {
				t.Fatalf("want a terminal error, got %v", err)
			}
		}
	})
}
