//go:build !no_sigstore

package signature

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/sigstore/sigstore-go/pkg/fulcio/certificate"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// identityTrust are identities, of which any may sign, and the Sigstore instance
// that knows them.
type identityTrust struct {
	wanted   []Identity
	matchers verify.CertificateIdentities
	root     *root.TrustedRoot
	verifier *verify.Verifier
}

var _ trust = (*identityTrust)(nil)

func newIdentityTrust(p Policy) (trust, error) {
	matchers, err := newMatchers(p.Identities)
	if err != nil {
		return nil, err
	}
	tr, err := parseRoot(p.TrustedRoot)
	if err != nil {
		return nil, fault.Wrap("trusted root"+of(p.TrustedRootFrom), err)
	}
	verifier, err := verify.NewVerifier(tr,
		verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1),
		verify.WithObserverTimestamps(1),
		verify.WithoutStatementPredicate(),
	)
	if err != nil {
		return nil, err
	}
	return &identityTrust{wanted: p.Identities, matchers: matchers, root: tr, verifier: verifier}, nil
}

// verify returns the identity that made the signature. What it is gets verified
// first, so that the message about another one can be believed.
func (t *identityTrust) verify(s *signed) (string, error) {
	leaf := s.content.Certificate()
	if leaf == nil {
		return "", invalidf("signed by a key, and not by %s", t)
	}
	policy := verify.NewPolicy(s.artifact(), verify.WithoutIdentitiesUnsafe())
	result, err := t.verifier.Verify(s.entity, policy)
	if err != nil {
		return "", invalidf("signed with a certificate for %s, which cannot be trusted: %s",
			certificateName(leaf), t.explain(s, leaf, err))
	}
	summary := *result.Signature.Certificate
	if _, err := t.matchers.Verify(summary); err != nil {
		return "", invalidf("signed by %s, and not by %s", summaryName(summary), t)
	}
	return summaryName(summary), nil
}

// String returns the identities in words.
func (t *identityTrust) String() string {
	texts := make([]string, len(t.wanted))
	for i, identity := range t.wanted {
		texts[i] = identity.String()
	}
	return strings.Join(texts, " or ")
}

func newMatchers(identities []Identity) (verify.CertificateIdentities, error) {
	if len(identities) > maxIdentities {
		return nil, tooLarge("identities", len(identities), maxIdentities)
	}
	matchers := make(verify.CertificateIdentities, 0, len(identities))
	for n, i := range identities {
		matcher, err := newMatcher(i)
		if err != nil {
			return nil, fmt.Errorf("identity %d: %w", n+1, err)
		}
		matchers = append(matchers, matcher)
	}
	return matchers, nil
}

func newMatcher(i Identity) (verify.CertificateIdentity, error) {
	for _, pattern := range []string{i.Issuer, i.IssuerRegExp, i.Subject, i.SubjectRegExp} {
		if len(pattern) > maxIdentityText {
			return verify.CertificateIdentity{}, tooLarge("bytes", len(pattern), maxIdentityText)
		}
	}
	if (i.Issuer == "") == (i.IssuerRegExp == "") {
		return verify.CertificateIdentity{}, errors.New("needs either issuer or issuerRegExp")
	}
	if (i.Subject == "") == (i.SubjectRegExp == "") {
		return verify.CertificateIdentity{}, errors.New("needs either subject or subjectRegExp")
	}
	return verify.NewShortCertificateIdentity(i.Issuer, whole(i.IssuerRegExp), i.Subject, whole(i.SubjectRegExp))
}

// whole makes a pattern match all of a value. A pattern that is meant for one
// organisation would else also match a URL that has it somewhere in its path.
func whole(pattern string) string {
	if pattern == "" {
		return ""
	}
	return `^(?:` + pattern + `)$`
}

func parseRoot(content []byte) (*root.TrustedRoot, error) {
	if len(content) == 0 {
		return nil, errors.New("is required with identities")
	}
	if len(content) > maxRootBytes {
		return nil, tooLarge("bytes", len(content), maxRootBytes)
	}
	parsed, err := root.NewTrustedRootProtobuf(content)
	if err != nil {
		// The error quotes the content, which may be something else and secret.
		return nil, errors.New("is not a trusted root in JSON")
	}
	tr, err := root.NewTrustedRootFromProtobuf(parsed)
	if err != nil {
		return nil, fmt.Errorf("cannot be used: %s", text.Line(err.Error(), maxText))
	}
	switch {
	case len(tr.FulcioCertificateAuthorities()) == 0:
		return nil, errors.New("has no certificate authority")
	case len(tr.RekorLogs()) == 0:
		return nil, errors.New("has no transparency log")
	case len(tr.CTLogs()) == 0:
		return nil, errors.New("has no certificate transparency log")
	}
	return tr, nil
}

// certificateName returns the subject and the issuer of a certificate.
func certificateName(leaf *x509.Certificate) string {
	summary, err := certificate.SummarizeCertificate(leaf)
	if err != nil {
		return "a certificate without an identity"
	}
	return summaryName(summary)
}

func summaryName(s certificate.Summary) string {
	return text.Line(s.SubjectAlternativeName, maxText) + " issued by " + text.Line(s.Issuer, maxText)
}
