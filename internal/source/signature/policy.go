package signature

import (
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Bounds of a Policy.
const (
	maxKeys         = 16
	maxKeyBytes     = 64 << 10
	maxIdentities   = 16
	maxIdentityText = 1024
	maxRootBytes    = 1 << 20
)

// Policy names whose signatures are accepted: either those of keys or those of
// identities.
type Policy struct {
	// Key is one or several public keys in PEM (PUBLIC KEY or RSA PUBLIC KEY), at
	// most 16 of ECDSA, Ed25519 or RSA. The signature of any of them is good. Keys
	// that do not sign a SHA-256 (Ed25519) verify statements and payloads, but not
	// message signatures: those are verified by the digest of the artifact.
	Key []byte
	// KeyFrom names where the keys are from, for messages. It may be empty.
	KeyFrom string `json:"-"`
	// Identities are who may sign keyless, at most 16. The signature of any of
	// them is good.
	Identities []Identity
	// TrustedRoot is the trusted root of the Sigstore instance in JSON, as "cosign
	// trusted-root create" writes it. It is required with Identities and must have
	// a certificate authority, a transparency log and a certificate transparency
	// log. With Key it is not used.
	TrustedRoot []byte
	// TrustedRootFrom names where the trusted root is from, as KeyFrom does.
	TrustedRootFrom string `json:"-"`
}

// Identity is who a certificate was issued to, and who vouched for that. One of
// Issuer and IssuerRegExp and one of Subject and SubjectRegExp are required.
type Identity struct {
	// Issuer is the URL of the OpenID Connect issuer.
	Issuer string `json:"issuer,omitempty"`
	// IssuerRegExp matches the whole URL of the issuer, in the syntax of Go.
	IssuerRegExp string `json:"issuerRegExp,omitempty"`
	// Subject is the alternative name in the certificate: an e-mail address or the
	// URL of a workflow.
	Subject string `json:"subject,omitempty"`
	// SubjectRegExp matches the whole subject, in the syntax of Go.
	SubjectRegExp string `json:"subjectRegExp,omitempty"`
}

// String returns the identity in words.
func (i Identity) String() string {
	return expected(i.Subject, i.SubjectRegExp) + " issued by " + expected(i.Issuer, i.IssuerRegExp)
}

func expected(value, pattern string) string {
	if pattern != "" {
		return "/" + text.Line(pattern, maxText) + "/"
	}
	return text.Line(value, maxText)
}

// Verifier verifies signatures by a Policy. Its methods may be called
// concurrently.
type Verifier struct {
	trust trust
}

// trust decides about one signature that is about the right artifact.
type trust interface {
	// verify returns who made the signature.
	verify(s *signed) (by string, err error)
}

// NewVerifier returns a Verifier of signatures that satisfy any of the policies. One
// that cannot be used is a Stall with the reason ReferenceInvalid.
func NewVerifier(policies ...Policy) (*Verifier, error) {
	trusted := make(anyOf, len(policies))
	for i, p := range policies {
		trust, err := newTrust(p)
		if err != nil {
			return nil, fault.Stall(v1alpha1.ReferenceInvalidReason, err)
		}
		trusted[i] = trust
	}
	return &Verifier{trust: trusted}, nil
}

// anyOf trusts whom any of several trusts.
type anyOf []trust

// verify returns who made the signature.
func (a anyOf) verify(s *signed) (string, error) {
	var errs []error
	for _, trust := range a {
		by, err := trust.verify(s)
		if err == nil {
			return by, nil
		}
		errs = append(errs, err)
	}
	return "", fault.Join(errs...)
}

func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%s: %d are more than the limit of %d", what, size, limit)
}
