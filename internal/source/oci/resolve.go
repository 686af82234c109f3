package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/opencontainers/go-digest"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// Bounds of listing tags: the size of a page that registries give, and how many
// pages are asked for.
const (
	tagPage     = 1000
	maxTagPages = 100
)

// Resolve returns the digest of the manifest that ref names: for a digest that
// itself, without a request; for a tag what the registry or a mirror has under
// it; for a constraint that of the newest tag of Newest.
//
// Errors of this and of all methods have a class and a reason: FetchFailed when
// trying again may help, Throttled with the time to wait when a server asked for
// it, and the stalling SourceInvalid, SourceDenied, ArtifactInvalid,
// DigestMismatch, LimitExceeded and ConstraintInvalid. That of a registry
// that does not have what was asked for satisfies
// errors.Is(err, fs.ErrNotExist).
func (c *Client) Resolve(ctx context.Context, ref Reference, creds Credentials) (digest.Digest, error) {
	if err := ref.validate(); err != nil {
		return "", err
	}
	if ref.Digest != "" {
		return digest.Digest(ref.Digest), nil
	}
	if ref.Tag == "" {
		tag, err := c.Newest(ctx, ref, creds)
		if err != nil {
			return "", err
		}
		ref.Tag = tag
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	return firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) (digest.Digest, error) {
		if err := r.mayChoose(); err != nil {
			return "", err
		}
		return r.resolve(ctx, ref.Tag)
	})
}

// Newest returns the tag with the highest version that satisfies ref.SemVer.
// Only tags that are whole semantic versions count, with a v in front or
// without, and with _ for the + of build metadata, as Helm writes it; of tags of
// one version the first in lexical order is taken. Pre-releases count if the
// constraint names one. If none fits the error is FetchFailed: one may be pushed.
func (c *Client) Newest(ctx context.Context, ref Reference, creds Credentials) (string, error) {
	if err := ref.validate(); err != nil {
		return "", err
	}
	constraint, err := semver.NewConstraint(ref.SemVer)
	if err != nil {
		return "", fault.Stallf(v1alpha1.ConstraintInvalidReason, "%s: the constraint cannot be parsed", ref)
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	return firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) (string, error) {
		if err := r.mayChoose(); err != nil {
			return "", err
		}
		return r.newest(ctx, constraint)
	})
}

// mayChoose returns an error for a mirror without TLS: anybody on the way could choose
// what a tag is. That a source itself is without TLS is up to the caller.
func (r *repository) mayChoose() error {
	if r.endpoint.mirror && r.endpoint.plain {
		return errors.New("without TLS it is asked only for what has a digest")
	}
	return nil
}

// resolve returns the digest under a tag. It asks for the header only, which
// registries do not count as a pull, and for the manifest where that is not enough.
func (r *repository) resolve(ctx context.Context, tag string) (digest.Digest, error) {
	found, err := r.library().Manifests().Resolve(ctx, tag)
	if err == nil {
		return found.Digest, checkSHA256(found.Digest)
	}
	if !headIsNotEnough(err) {
		return "", err
	}
	content, err := r.getManifest(ctx, tag)
	if err != nil {
		return "", err
	}
	return digest.FromBytes(content), nil
}

// headIsNotEnough reports whether an error of a HEAD request is about that
// method: a status that GET may not have, or a header that is missing.
func headIsNotEnough(err error) bool {
	if e, ok := errors.AsType[*statusError](err); ok {
		switch e.code {
		case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
			http.StatusTooManyRequests, http.StatusServiceUnavailable:
			return false
		}
		return true
	}
	_, ok := errors.AsType[*fault.Error](err)
	return !ok
}

func checkSHA256(d digest.Digest) error {
	if checkDigest(d) != nil {
		return fault.Stallf(v1alpha1.ArtifactInvalidReason, "the digest %s is not one of sha256", text.Quote(d.String(), maxNameText))
	}
	return nil
}

// library returns the client of the library for the repository, over r.
func (r *repository) library() *remote.Repository {
	return &remote.Repository{
		Client: r, Reference: r.endpoint.ref, PlainHTTP: r.endpoint.plain,
		TagListPageSize: tagPage, TagListMaxPages: maxTagPages,
		MaxMetadataBytes: r.cfg.MaxManifest + 1, // the body ends with an error before
	}
}

// newest returns the tag with the highest version that satisfies the constraint.
func (r *repository) newest(ctx context.Context, constraint *semver.Constraints) (string, error) {
	var best tagged
	seen := 0
	err := r.library().Tags(ctx, "", func(tags []string) error {
		if seen += len(tags); seen > r.cfg.MaxTags {
			return fault.Stallf(v1alpha1.LimitExceededReason,
				"more than %d tags: name a tag or a digest", r.cfg.MaxTags)
		}
		for _, tag := range tags {
			if t, ok := parseTag(tag); ok && constraint.Check(t.version) && t.isBefore(best) {
				best = t
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, errdef.ErrTooManyPages):
		return "", fault.Stallf(v1alpha1.LimitExceededReason,
			"more than %d pages of tags: name a tag or a digest", maxTagPages)
	case err != nil:
		return "", listFailed(err)
	case best.version == nil:
		return "", fmt.Errorf("none of %d tags is a version that satisfies the constraint", seen)
	}
	return best.tag, nil
}

// listFailed returns an error of listing tags. The library's own hold URLs.
func listFailed(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return fault.Wrap("list tags", err)
	}
	return errors.New("list tags: the answer of the registry cannot be read")
}

// tagged is a tag that is a version.
type tagged struct {
	tag     string
	version *semver.Version
}

// parseTag returns the version that a tag is.
func parseTag(tag string) (tagged, bool) {
	version, err := semver.StrictNewVersion(strings.ReplaceAll(strings.TrimPrefix(tag, "v"), "_", "+"))
	return tagged{tag: tag, version: version}, err == nil
}

// isBefore reports whether t is preferred to o. Build metadata has no order
// among versions, so the tag's own order decides.
func (t tagged) isBefore(o tagged) bool {
	return o.version == nil || cmp.Or(-t.version.Compare(o.version), cmp.Compare(t.tag, o.tag)) < 0
}
