//go:build !no_sigstore

package signature_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
)

func keyed(key []byte) signature.Signer { return signature.Signer{Policy: signature.Policy{Key: key}} }

func TestWhomSignersTrustWithWhat(t *testing.T) {
	t.Parallel()
	all, some, keyless := keyed(newSigner(t).pem(t)), keyed(newSigner(t).pem(t)), signature.Signer{}
	some.Repositories, some.Namespaces = []string{"ghcr.io/example", "localhost:5000"}, []string{"team-a", "team-b"}
	keyless.Namespaces = []string{"team-a"}
	keyless.Policy.Identities = []signature.Identity{{Issuer: "https://accounts.example.com", SubjectRegExp: ".*@example.com"}}
	keyless.Policy.TrustedRoot = newInstance(t).trustedRoot(t, same)
	signers, err := signature.NewSigners([]signature.Signer{all, some, keyless})
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[[2]string]int{
		{"other", "ghcr.io/example/app"}:     1,
		{"team-a", "docker.io/app"}:          2,
		{"team-a", "ghcr.io/example/app"}:    3,
		{"team-b", "ghcr.io/example"}:        2,
		{"team-b", "localhost:5000/x/y"}:     2,
		{"team-b", "ghcr.io/example2/app"}:   1,
		{"team-b", "ghcr.io"}:                1,
		{"team-b", "x/ghcr.io/example/app"}:  1,
		{"team-", "GHCR.io/example/app"}:     1,
		{"team-b", "localhost:50001/app"}:    1,
		{"team-b", "ghcr.io/example/../app"}: 2,
	} {
		got := signers.For(given[0], given[1])
		if len(got) != want {
			t.Errorf("want %d policies for %v, got %d", want, given, len(got))
		}
		if _, err := signature.NewVerifier(got...); err != nil {
			t.Error(err)
		}
	}
}

func TestSignersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	key := newSigner(t).pem(t)
	of := func(repository string) []signature.Signer {
		return []signature.Signer{{Repositories: []string{repository}, Policy: signature.Policy{Key: key}}}
	}
	by := func(root string, identity signature.Identity) []signature.Signer {
		return []signature.Signer{{Policy: signature.Policy{Identities: []signature.Identity{identity}, TrustedRoot: []byte(root)}}}
	}
	tests := map[string]struct {
		given []signature.Signer
		want  string
	}{
		"no signer":        {nil, "0 signers are not 1 to 64"},
		"too many signers": {slices.Repeat([]signature.Signer{keyed(key)}, 65), "65 signers"},
		"nobody":           {[]signature.Signer{{Namespaces: []string{"a"}}}, "signers[0]: a policy needs a key or identities"},
		"keys that are none": {
			[]signature.Signer{keyed(key), keyed([]byte("hunter2"))},
			"signers[1]: public key of the manager's configuration, signatures.signers[1]: holds no PEM",
		},
		"identities without a trusted root": {by("", signature.Identity{Issuer: "a", Subject: "b"}), "signatures.signers[0]: is required"},
		"an identity of anybody":            {by("{}", signature.Identity{Issuer: "a"}), "identity 1: needs either subject or"},
		"a repository with a scheme":        {of("oci://ghcr.io"), "not of the form host or host/path"},
		"a repository of no length":         {of(""), "not of the form host or host/path"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signers, err := signature.NewSigners(test.given)
			if err == nil || !strings.Contains(err.Error(), test.want) || signers != nil {
				t.Fatalf("want an error with %q, got %v", test.want, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

func TestSignersHaveAVersion(t *testing.T) {
	t.Parallel()
	version := func(entries ...signature.Signer) string {
		signers, err := signature.NewSigners(entries)
		if err != nil {
			t.Fatal(err)
		}
		return signers.Version()
	}
	a, b := keyed(newSigner(t).pem(t)), keyed(newSigner(t).pem(t))
	scoped := a
	scoped.Namespaces = []string{"team-a"}
	if version(a) != version(a) {
		t.Error("want one version of one list")
	}
	if version(a) == version(b) || version(a) == version(scoped) {
		t.Error("want another version where somebody else is trusted, or with something else")
	}
}
