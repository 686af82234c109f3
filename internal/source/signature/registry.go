package signature

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
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
func (s search) signatures(ctx context.Context) iter.Seq2[*signed, error] {
	return func(yield func(*signed, error) bool) {
		for found, err := range s.bundles(ctx) {
			if !yield(found, err) {
				return
			}
		}
		for found, err := range s.simple(ctx) {
			if !yield(found, err) {
				return
			}
		}
	}
}

// bundles yields the sigstore bundles that refer to the artifact.
func (s search) bundles(ctx context.Context) iter.Seq2[*signed, error] {
	return func(yield func(*signed, error) bool) {
		referrers, err := s.referrers(ctx)
		if err != nil {
			yield(nil, fault.Wrap("referrers", err))
			return
		}
		for _, referrer := range referrers {
			// Other statements are skipped unread. A wrong annotation can only hide a signature.
			if predicate := referrer.Annotations[predicateAnnotation]; predicate != "" && predicate != signPredicate {
				continue
			}
			found, err := s.bundle(ctx, referrer.Digest)
			if !yield(found, fault.Wrap("bundle "+text.Line(referrer.Digest.String(), maxText), err)) {
				return
			}
		}
	}
}

// referrers returns the bundles that refer to the artifact, or those that
// the tag lists which replaces the referrers API where there are none. See
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
func (s search) referrers(ctx context.Context) ([]ocispec.Descriptor, error) {
	found, err := s.registry.Referrers(ctx, s.repository, s.digest, BundleType)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(found) > 0 {
		return found, nil
	}
	var index ocispec.Index
	if err := s.manifest(ctx, s.tag(""), &index); err != nil {
		return nil, unlessMissing(err)
	}
	for _, referrer := range index.Manifests {
		if referrer.ArtifactType == BundleType {
			found = append(found, referrer)
		}
	}
	return found, nil
}

// bundle returns the signature in the bundle whose manifest has digest d.
func (s search) bundle(ctx context.Context, d digest.Digest) (*signed, error) {
	if d.Validate() != nil {
		return nil, invalidf("its digest is not one")
	}
	var manifest ocispec.Manifest
	if err := s.manifest(ctx, d.String(), &manifest); err != nil {
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
		if err := s.manifest(ctx, s.tag(".sig"), &manifest); err != nil {
			if err := unlessMissing(err); err != nil {
				yield(nil, fault.Wrap("tag "+s.tag(".sig"), err))
			}
			return
		}
		for _, layer := range manifest.Layers {
			if layer.MediaType != simpleSigningType {
				continue
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

func (s search) manifest(ctx context.Context, ref string, into any) error {
	raw, err := s.registry.Manifest(ctx, s.repository, ref)
	if err != nil {
		return err
	}
	if len(raw) > MaxManifestBytes {
		return overLimit("its manifest", int64(len(raw)), MaxManifestBytes)
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
