package signature

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Bounds of what is read from a registry.
const (
	// MaxSignatures is how many bundles of an artifact, and how many payloads, are
	// looked at: whoever may push to the repository can add some.
	MaxSignatures = 1024
	// MaxBytes is the limit of one bundle, of its manifest, and of one payload, in
	// bytes. A signature has a few thousand; attestations may be larger.
	MaxBytes = 128 << 10
	// MaxManifestBytes is the limit of one manifest or index, in bytes: what a
	// registry must accept by the distribution specification.
	MaxManifestBytes = 4 << 20
	// maxNodes bounds the values and keys of one: descriptors take 40 times as much
	// memory as their text can.
	maxNodes = 50_000
)

// maxRefusals is how many signatures that are not good an error names.
const maxRefusals = 16

var (
	// errNotSignature means that something that is stored like a signature is none.
	errNotSignature = errors.New("not a signature")
	// errTooMany means that there are more than MaxSignatures of one form.
	errTooMany = errors.New("too many signatures")
)

// Result is a good signature.
type Result struct {
	// By is who made it: "key sha256:…" with the digest of the public key, or
	// "<subject> issued by <issuer>".
	By string
}

// Verify returns the first good signature of the artifact with digest d in
// repository.
//
// The errors name the repository and the digest. Each is a Stall with the
// reason SignatureMissing when there is no signature, SignatureInvalid when no
// signature is good, and LimitExceeded when one is larger than MaxBytes or none
// is good among the first MaxSignatures of more, of which those that say that they
// are signatures come first. An error of the registry is returned with its class
// when no other signature is good.
func (v *Verifier) Verify(
	ctx context.Context, registry Registry, repository string, d digest.Digest,
) (Result, error) {
	result, err := v.verify(ctx, search{registry: registry, repository: repository, digest: d})
	return result, fault.Wrap(fmt.Sprintf("%s@%s", repository, d), err)
}

func (v *Verifier) verify(ctx context.Context, s search) (Result, error) {
	if err := s.digest.Validate(); err != nil || s.digest.Algorithm() != digest.SHA256 {
		return Result{}, fault.Stallf(v1alpha1.SourceInvalidReason, "only a digest of sha256 can be verified")
	}
	var refused refusals
	for found, err := range s.signatures(ctx) {
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		by, err := v.check(found, err)
		if err == nil {
			return Result{By: by}, nil
		}
		if !refused.add(err) {
			break
		}
	}
	return Result{}, refused.err()
}

// check returns who made the signature, unless it could not be read.
func (v *Verifier) check(s *signed, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return v.trust.verify(s)
}

// refusals are why no signature is good.
type refusals struct {
	errs    []error
	tooMany bool
	// failures are how many could not be read now.
	failures int
}

// add adds the error of one signature, and reports whether to go on: not at a
// registry that wants to be left in peace, or fails again and again. Of the errors
// that somebody has to mend the first few are kept.
func (r *refusals) add(err error) bool {
	class := fault.ClassOf(err)
	switch {
	case errors.Is(err, errTooMany):
		r.tooMany = true
		return true
	case errors.Is(err, errNotSignature):
		return true
	case class != fault.ClassStall:
		r.failures++
		r.errs = append(r.errs, err)
	case len(r.errs)-r.failures < maxRefusals:
		r.errs = append(r.errs, err)
	}
	return class != fault.ClassWait && r.failures < maxRefusals
}

// err returns one error, sorted, each reason once. It is a Retry where trying again
// may help.
func (r *refusals) err() error {
	slices.SortFunc(r.errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	errs := slices.CompactFunc(r.errs, func(a, b error) bool { return a.Error() == b.Error() })
	joined := fault.Join(errs...)
	switch {
	case joined != nil && (!r.tooMany || fault.ClassOf(joined) != fault.ClassStall):
		return joined
	case joined != nil:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"more than %d signatures and attestations, and none of the first %d is good: %w",
			MaxSignatures, MaxSignatures, joined)
	case r.tooMany:
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"more than %d attestations, and no signature among the first %d", MaxSignatures, MaxSignatures)
	}
	return fault.Stallf(v1alpha1.SignatureMissingReason, "has no cosign signature: sign it with cosign sign")
}

// invalidf returns the error for a signature that is not good.
func invalidf(format string, args ...any) error {
	return fault.Stallf(v1alpha1.SignatureInvalidReason, format, args...)
}

// maxText bounds in a message what others wrote, in bytes.
const maxText = 256
