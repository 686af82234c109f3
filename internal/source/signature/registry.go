package signature

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"slices"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Registry is where the signatures of an artifact are stored. The error for
// something that does not exist satisfies errors.Is(err, fs.ErrNotExist); other
// errors keep their class and reason.
type Registry interface {
	// Referrers returns what refers to the artifact with digest d, of the given
	// type of artifact only. Without any, or where the registry does not know the
	// referrers API, it returns none and no error.
	Referrers(ctx context.Context, repository string, d digest.Digest, artifactType string) ([]ocispec.Descriptor, error)
	// Manifest returns the manifest or index under a tag or a digest.
	Manifest(ctx context.Context, repository, ref string) ([]byte, error)
	// Blob returns the blob with digest d, at most limit bytes of it: a larger one
	// is an error.
	Blob(ctx context.Context, repository string, d digest.Digest, limit int64) ([]byte, error)
}

// BundleType is the type of artifact and of layer of a sigstore bundle.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// signPredicate is the type of the in-toto statement of a signature of cosign.
const signPredicate = "https://sigstore.dev/cosign/sign/v1"

// simpleSigningType is the type of a layer with a simple signing payload.
const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json"

// predicateAnnotation is where cosign repeats the type of a bundle's statement.
const predicateAnnotation = "dev.sigstore.bundle.predicateType"

// search is for the signatures of one artifact.
type search struct {
	registry   Registry
	repository string
	digest     digest.Digest
}

// signatures yields the signatures of the artifact, those in bundles first. An
// error is about one signature, or about one of the two forms; others may follow.
// Of each form at most MaxSignatures are looked at, so that many of one do not
// hide the other: then it yields errTooMany.
func (s search) signatures(ctx context.Context) iter.Seq2[*signed, error] {
	return func(yield func(*signed, error) bool) {
		for _, form := range []iter.Seq2[*signed, error]{s.bundles(ctx), s.simple(ctx)} {
			for found, err := range form {
				if !yield(found, err) {
					return
				}
			}
		}
	}
}

// bundles yields the sigstore bundles that refer to the artifact.
func (s search) bundles(ctx context.Context) iter.Seq2[*signed, error] {
	return func(yield func(*signed, error) bool) {
		seen := map[digest.Digest]bool{}
		for referrer, err := range s.referrers(ctx) {
			switch {
			case err != nil:
				if !yield(nil, fault.Wrap("referrers", err)) {
					return
				}
				continue
			case seen[referrer.Digest]:
				continue
			case len(seen) == MaxSignatures:
				yield(nil, errTooMany)
				return
			}
			seen[referrer.Digest] = true
			found, err := s.bundle(ctx, referrer)
			if !yield(found, fault.Wrap("bundle "+text.Line(referrer.Digest.String(), maxText), err)) {
				return
			}
		}
	}
}

// referrers yields the bundles that may be signatures: those that the registry
// lists, and then those that the tag lists which replaces the referrers API where
// there is none. Who signed may have known the tag only. See
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func (s search) referrers(ctx context.Context) iter.Seq2[ocispec.Descriptor, error] {
	return func(yield func(ocispec.Descriptor, error) bool) {
		for _, list := range []func(context.Context) ([]ocispec.Descriptor, error){s.listed, s.tagged} {
			found, err := list(ctx)
			if unlessMissing(err) != nil && !yield(ocispec.Descriptor{}, err) {
				return
			}
			for _, referrer := range candidates(found) {
				if !yield(referrer, nil) {
					return
				}
			}
		}
	}
}

// listed returns the bundles that the registry lists.
func (s search) listed(ctx context.Context) ([]ocispec.Descriptor, error) {
	return s.registry.Referrers(ctx, s.repository, s.digest, BundleType)
}

// tagged returns the bundles that the tag lists.
func (s search) tagged(ctx context.Context) ([]ocispec.Descriptor, error) {
	var index ocispec.Index
	err := s.manifest(ctx, s.tag(""), MaxManifestBytes, &index)
	return slices.DeleteFunc(index.Manifests, func(referrer ocispec.Descriptor) bool {
		return referrer.ArtifactType != BundleType
	}), err
}

// candidates returns what may be a signature, and first what says that it is one:
// others may have added any number of attestations. Those that say what they are
// stay unread. A wrong annotation can only hide a signature.
func candidates(referrers []ocispec.Descriptor) []ocispec.Descriptor {
	var says, silent []ocispec.Descriptor
	for _, referrer := range referrers {
		switch referrer.Annotations[predicateAnnotation] {
		case signPredicate:
			says = append(says, referrer)
		case "":
			silent = append(silent, referrer)
		}
	}
	return append(says, silent...)
}

// bundle returns the signature in the bundle whose manifest is given.
func (s search) bundle(ctx context.Context, referrer ocispec.Descriptor) (*signed, error) {
	if referrer.Digest.Validate() != nil {
		return nil, invalidf("its digest is not one")
	}
	if referrer.Size > MaxBytes {
		return nil, overLimit("its manifest", referrer.Size, MaxBytes)
	}
	var manifest ocispec.Manifest
	if err := s.manifest(ctx, referrer.Digest.String(), MaxBytes, &manifest); err != nil {
		return nil, ifMissing(err, "its manifest is not in the registry")
	}
	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != BundleType {
		return nil, invalidf("has %d layers, and not one of type %s", len(manifest.Layers), BundleType)
	}
	content, err := s.blob(ctx, manifest.Layers[0])
	if err != nil {
		return nil, err
	}
	return readBundle(content, s.digest)
}

// simple yields the simple signing payloads of the artifact.
func (s search) simple(ctx context.Context) iter.Seq2[*signed, error] {
	return func(yield func(*signed, error) bool) {
		var manifest ocispec.Manifest
		if err := s.manifest(ctx, s.tag(".sig"), MaxManifestBytes, &manifest); err != nil {
			if err := unlessMissing(err); err != nil {
				yield(nil, fault.Wrap("tag "+s.tag(".sig"), err))
			}
			return
		}
		seen := 0
		for _, layer := range manifest.Layers {
			if layer.MediaType != simpleSigningType {
				continue
			}
			if seen++; seen > MaxSignatures {
				yield(nil, errTooMany)
				return
			}
			found, err := s.simpleLayer(ctx, layer)
			if !yield(found, fault.Wrap("signature "+text.Line(layer.Digest.String(), maxText), err)) {
				return
			}
		}
	}
}

func (s search) simpleLayer(ctx context.Context, layer ocispec.Descriptor) (*signed, error) {
	payload, err := s.blob(ctx, layer)
	if err != nil {
		return nil, err
	}
	return readSimple(payload, layer.Annotations, s.digest)
}

// tag returns the tag that is made of the artifact's digest.
func (s search) tag(suffix string) string {
	return s.digest.Algorithm().String() + "-" + s.digest.Encoded() + suffix
}

func (s search) manifest(ctx context.Context, ref string, limit int, into any) error {
	raw, err := s.registry.Manifest(ctx, s.repository, ref)
	if err != nil {
		return err
	}
	if len(raw) > limit {
		return overLimit("its manifest", int64(len(raw)), int64(limit))
	}
	if manifest.CountNodes(raw, maxNodes) > maxNodes {
		return fault.Stallf(v1alpha1.LimitExceededReason, "its manifest has more than %d keys and values", maxNodes)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return invalidf("its manifest is not JSON of a manifest")
	}
	return nil
}

func (s search) blob(ctx context.Context, layer ocispec.Descriptor) ([]byte, error) {
	if layer.Digest.Validate() != nil {
		return nil, invalidf("the digest of its layer is not one")
	}
	if layer.Size > MaxBytes {
		return nil, overLimit("its layer", layer.Size, MaxBytes)
	}
	content, err := s.registry.Blob(ctx, s.repository, layer.Digest, MaxBytes)
	if err != nil {
		return nil, ifMissing(err, "its layer is not in the registry")
	}
	if len(content) > MaxBytes {
		return nil, overLimit("its layer", int64(len(content)), MaxBytes)
	}
	return content, nil
}

func overLimit(what string, size, limit int64) error {
	return fault.Stallf(v1alpha1.LimitExceededReason,
		"%s: %d bytes are more than the limit of %d bytes", what, size, limit)
}

// unlessMissing returns err unless it is that of something that does not exist.
func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ifMissing returns err, or an error with the message where err is that of
// something that does not exist.
func ifMissing(err error, message string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return invalidf("%s", message)
	}
	return err
}
