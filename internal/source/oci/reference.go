package oci

import (
	"cmp"
	"errors"

	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/registry"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Reference names an artifact in a registry.
type Reference struct {
	// Repository is the registry and the path, for example ghcr.io/example/calico.
	Repository string

	// Tag, Digest and SemVer select an artifact of the repository: Digest takes
	// precedence over Tag, and Tag over SemVer.
	Tag string
	// Digest is that of the artifact's manifest.
	Digest string
	// SemVer is a constraint in the form of github.com/Masterminds/semver.
	SemVer string

	// Insecure is true for a registry that speaks plain HTTP.
	Insecure bool
}

// String returns the reference as messages name it: the repository with
// its digest, its tag, or its constraint in brackets.
func (r Reference) String() string {
	switch {
	case r.Digest != "":
		return r.Repository + "@" + r.Digest
	case r.Tag != "":
		return r.Repository + ":" + r.Tag
	case r.SemVer != "":
		return r.Repository + " (" + r.SemVer + ")"
	}
	return r.Repository
}

// parseRepository returns the repository of r. One that is not of the right form
// is not repeated: it may be a URL with a password.
func (r Reference) parseRepository() (registry.Reference, error) {
	parsed, err := registry.ParseReference(r.Repository)
	if err != nil || parsed.Reference != "" {
		return registry.Reference{}, invalid("the repository is not of the form host/path")
	}
	return parsed, nil
}

// validate checks all of r.
func (r Reference) validate() error {
	parsed, err := r.parseRepository()
	if err != nil {
		return err
	}
	if cmp.Or(r.Digest, r.Tag, r.SemVer) == "" {
		return invalid(r.Repository + ": none of tag, digest and semver is set")
	}
	parsed.Reference = r.Tag
	if r.Tag != "" && parsed.ValidateReferenceAsTag() != nil {
		return invalid(r.Repository + ": the tag is not one")
	}
	if r.Digest != "" && checkDigest(digest.Digest(r.Digest)) != nil {
		return invalid(r.Repository + ": the digest is not sha256: and 64 hexadecimal digits")
	}
	return nil
}

func invalid(text string) error {
	return fault.Stall(v1alpha1.SourceInvalidReason, errors.New(text))
}

// checkDigest returns an error unless d is a digest of the only algorithm that is stored.
func checkDigest(d digest.Digest) error {
	if err := d.Validate(); err != nil {
		return err
	}
	if d.Algorithm() != digest.SHA256 {
		return digest.ErrDigestUnsupported
	}
	return nil
}
