//go:build !no_sigstore

package signature

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// simpleType is critical.type of a simple signing payload of cosign.
const simpleType = "cosign container image signature"

// signed is a signature that claims to be about the artifact. The claim and its
// signer are not verified yet.
type signed struct {
	entity  *bundle.Bundle
	content verify.VerificationContent
	// artifact returns what was signed, anew for each verification.
	artifact func() verify.ArtifactPolicyOption
}

// readBundle returns the signature in a sigstore bundle, which must be about d.
func readBundle(content []byte, d digest.Digest) (*signed, error) {
	var entity bundle.Bundle
	if err := entity.UnmarshalJSON(content); err != nil {
		return nil, invalidf("cannot be read as a sigstore bundle: %s", text.Line(err.Error(), maxText))
	}
	if err := checkClaim(&entity, d); err != nil {
		return nil, err
	}
	sum, err := hex.DecodeString(d.Encoded())
	if err != nil {
		return nil, err
	}
	return newSigned(&entity, func() verify.ArtifactPolicyOption {
		return verify.WithArtifactDigest(d.Algorithm().String(), sum)
	})
}

func newSigned(entity *bundle.Bundle, artifact func() verify.ArtifactPolicyOption) (*signed, error) {
	content, err := entity.VerificationContent()
	if err != nil {
		return nil, invalidf("has no certificate or key that can be read: %s", text.Line(err.Error(), maxText))
	}
	return &signed{entity: entity, content: content, artifact: artifact}, nil
}

// checkClaim returns an error unless the bundle claims to be a signature of d.
func checkClaim(entity *bundle.Bundle, d digest.Digest) error {
	if message := entity.GetMessageSignature(); message != nil {
		return checkSubjects([]string{hex.EncodeToString(message.GetMessageDigest().GetDigest())}, d)
	}
	envelope, err := entity.Envelope()
	if err != nil {
		return invalidf("its envelope cannot be read: %s", text.Line(err.Error(), maxText))
	}
	statement, err := envelope.Statement()
	if err != nil {
		return invalidf("its statement cannot be read: %s", text.Line(err.Error(), maxText))
	}
	if statement.GetPredicateType() != signPredicate {
		return errNotSignature
	}
	subjects := make([]string, 0, len(statement.GetSubject()))
	for _, subject := range statement.GetSubject() {
		subjects = append(subjects, subject.GetDigest()[d.Algorithm().String()])
	}
	return checkSubjects(subjects, d)
}

// checkSubjects returns an error unless one of the sums of sha256 is that of d.
func checkSubjects(sums []string, d digest.Digest) error {
	for _, sum := range sums {
		if strings.EqualFold(sum, d.Encoded()) {
			return nil
		}
	}
	if len(sums) == 0 {
		return invalidf("it is about no artifact")
	}
	return invalidf("it is about another artifact, %s", text.Line("sha256:"+sums[0], maxText))
}

// simplePayload is the part of a simple signing payload that matters. See
// https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
type simplePayload struct {
	Critical struct {
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
}

// readSimple returns the signature of a simple signing payload, which must be
// about d.
func readSimple(payload []byte, annotations map[string]string, d digest.Digest) (*signed, error) {
	var claim simplePayload
	if err := json.Unmarshal(payload, &claim); err != nil {
		return nil, invalidf("its payload is not JSON of a simple signing payload")
	}
	if claim.Critical.Type != simpleType {
		return nil, invalidf("its payload is of type %q, and not %q", text.Line(claim.Critical.Type, maxText), simpleType)
	}
	if claim.Critical.Image.Digest != d.String() {
		return nil, invalidf("it is about another artifact, %s", text.Line(claim.Critical.Image.Digest, maxText))
	}
	entity, err := simpleBundle(payload, annotations)
	if err != nil {
		return nil, err
	}
	return newSigned(entity, func() verify.ArtifactPolicyOption {
		return verify.WithArtifact(bytes.NewReader(payload))
	})
}
