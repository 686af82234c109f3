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
	// MaxSignatures is how many signatures of an artifact are looked at.
	MaxSignatures = 16
	// MaxBytes is the limit of one bundle or payload, in bytes.
	MaxBytes = 1 << 20
	// MaxManifestBytes is the limit of one manifest or index, in bytes: what a
	// registry must accept by the distribution specification.
	MaxManifestBytes = 4 << 20
)

// errNotSignature means that something that is stored like a signature is none.
var errNotSignature = errors.New("not a signature")

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
// is good among the first MaxSignatures of more. An error of the registry is
// returned with its class when no other signature is good.
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
	var errs []error
	seen := 0
	for found, err := range s.signatures(ctx) {
		if ctx.Err() != nil {
			return Result{}, context.Cause(ctx)
		}
		if seen++; seen > MaxSignatures {
			return Result{}, tooMany(errs)
		}
		by, err := v.check(found, err)
		switch {
		case err == nil:
			return Result{By: by}, nil
		case !errors.Is(err, errNotSignature):
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 {
		return Result{}, fault.Stallf(v1alpha1.SignatureMissingReason, "has no cosign signature: sign it with cosign sign")
	}
	return Result{}, join(errs)
}

// check returns who made the signature, unless it could not be read.
func (v *Verifier) check(s *signed, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return v.trust.verify(s)
}

// join makes one error of those about several signatures, sorted, each once.
func join(errs []error) error {
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	errs = slices.CompactFunc(errs, func(a, b error) bool { return a.Error() == b.Error() })
	return fault.Join(errs...)
}

// tooMany returns the error for more than MaxSignatures, of which the first ones
// are not good for errs. It is a Retry where trying again may help.
func tooMany(errs []error) error {
	if len(errs) == 0 {
		return fault.Stallf(v1alpha1.LimitExceededReason,
			"more than %d attestations, and no signature among them", MaxSignatures)
	}
	err := join(errs)
	if fault.ClassOf(err) != fault.ClassStall {
		return err
	}
	return fault.Stallf(v1alpha1.LimitExceededReason,
		"more than %d signatures, and none of the first %d is good: %w", MaxSignatures, MaxSignatures, err)
}

// invalidf returns the error for a signature that is not good.
func invalidf(format string, args ...any) error {
	return fault.Stallf(v1alpha1.SignatureInvalidReason, format, args...)
}

// maxText bounds in a message what others wrote, in bytes.
const maxText = 256
