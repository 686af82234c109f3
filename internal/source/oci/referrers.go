package oci

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Bounds of a list of referrers. Whoever may push to the repository can make it
// long; an entry takes about 300 bytes.
const (
	maxReferrersBytes = 8 << 20
	maxReferrersPages = 100
)

// Referrers returns what refers to the artifact with digest d and is of the given
// type, by the pages of the registry's list. A registry that does not know
// the API is asked for the fallback tag. Without any referrer it
// returns none. Some that are of another type may be among them.
//
// A mirror that has none is not relied on: many copy artifacts without what refers
// to them. See
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers
func (c *Client) Referrers(
	ctx context.Context, ref Reference, d digest.Digest, artifactType string, creds Credentials,
) ([]ocispec.Descriptor, error) {
	if err := checkSHA256(d); err != nil {
		return nil, fault.Wrap(ref.Repository, err)
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	ref.Digest = d.String()
	found, err := firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) ([]ocispec.Descriptor, error) {
		return r.referrers(ctx, d, artifactType)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return found, err
}

// referrers asks for the referrers of d and then for their fallback tag. If there
// are none the error satisfies errors.Is(err, fs.ErrNotExist).
func (r *repository) referrers(
	ctx context.Context, d digest.Digest, artifactType string,
) ([]ocispec.Descriptor, error) {
	found, known, err := r.listReferrers(ctx, d, artifactType)
	if err == nil && !known {
		found, err = r.taggedReferrers(ctx, d, artifactType)
	}
	if err == nil && len(found) == 0 {
		return nil, missing("it has no referrers of the type " + artifactType)
	}
	return found, err
}

// taggedReferrers returns the referrers of the fallback tag.
func (r *repository) taggedReferrers(
	ctx context.Context, d digest.Digest, artifactType string,
) ([]ocispec.Descriptor, error) {
	content, err := r.getManifest(ctx, d.Algorithm().String()+"-"+d.Encoded())
	if err != nil {
		return nil, err
	}
	return referrersIn(content, artifactType)
}

// referrersIn returns the referrers of the given type in an index. Registries need
// not filter, and some know the type of the config only.
func referrersIn(content []byte, artifactType string) ([]ocispec.Descriptor, error) {
	var index ocispec.Index
	if err := decode(content, &index); err != nil {
		return nil, fault.Wrap("referrers", err)
	}
	return slices.DeleteFunc(index.Manifests, func(referrer ocispec.Descriptor) bool {
		return referrer.ArtifactType != artifactType && referrer.ArtifactType != ocispec.MediaTypeEmptyJSON
	}), nil
}

// listReferrers returns what the referrers API lists. It is not known where it is
// not answered.
func (r *repository) listReferrers(
	ctx context.Context, d digest.Digest, artifactType string,
) (found []ocispec.Descriptor, known bool, err error) {
	req, err := r.request(ctx, "referrers", d.String())
	if err != nil {
		return nil, false, err
	}
	req.URL.RawQuery = url.Values{"artifactType": {artifactType}}.Encode()
	size := 0
	for pages := 1; ; pages++ {
		content, next, err := r.referrersPage(ctx, req.URL)
		switch {
		case err != nil:
			return nil, false, fault.Wrap("referrers", err)
		case content == nil && pages > 1:
			return nil, true, artifactInvalid("the list of referrers has no page %d", pages)
		case content == nil:
			return nil, false, nil
		}
		page, err := referrersIn(content, artifactType)
		if err != nil {
			return nil, true, err
		}
		found = append(found, page...)
		if next == nil {
			return found, true, nil
		}
		if size += len(content); size > maxReferrersBytes || pages == maxReferrersPages {
			return nil, true, fault.Stallf(v1alpha1.LimitExceededReason,
				"what refers to it fills more than %d bytes or %d pages: remove what is not needed",
				maxReferrersBytes, maxReferrersPages)
		}
		req.URL = next
	}
}

// referrersPage returns a page of what refers to an artifact, and where the next
// one is; nothing where the API is not known.
func (r *repository) referrersPage(ctx context.Context, at *url.URL) (content []byte, next *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", ocispec.MediaTypeImageIndex)
	resp, err := r.Do(req)
	if err != nil {
		if unknownAPI(err) {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if mediaType != ocispec.MediaTypeImageIndex {
		return nil, nil, nil
	}
	if next, err = nextPage(at, resp.Header.Get("Link")); err != nil {
		return nil, nil, err
	}
	content, err = io.ReadAll(resp.Body)
	return content, next, err
}

// nextPage returns where a Link header leads, nil without one. It has to be the
// same registry: credentials are sent there.
func nextPage(at *url.URL, link string) (*url.URL, error) {
	if link == "" {
		return nil, nil
	}
	target, _, ok := strings.Cut(strings.TrimPrefix(link, "<"), ">")
	next, err := at.Parse(target)
	if !ok || err != nil || !httpclient.SameOrigin(at, next) {
		return nil, artifactInvalid("the list of referrers goes on at an address that cannot be used")
	}
	return next, nil
}

// unknownAPI reports whether a registry answered as those do that do not know
// the referrers API.
func unknownAPI(err error) bool {
	return hasStatus(err, http.StatusNotFound) || hasStatus(err, http.StatusBadRequest) ||
		hasStatus(err, http.StatusMethodNotAllowed) || hasStatus(err, http.StatusNotAcceptable)
}

// RawManifest returns the manifest or index that ref names by its digest or its
// tag, as it is. That under a digest was checked against it.
func (c *Client) RawManifest(ctx context.Context, ref Reference, creds Credentials) ([]byte, error) {
	ref.SemVer = ""
	if err := ref.validate(); err != nil {
		return nil, err
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	return firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) ([]byte, error) {
		if ref.Digest != "" {
			return r.verifiedManifest(ctx, digest.Digest(ref.Digest))
		}
		return r.getManifest(ctx, ref.Tag)
	})
}

// SmallBlob returns the bytes of the blob with digest d, checked against it. One
// of more than maxBytes bytes is LimitExceeded.
func (c *Client) SmallBlob(
	ctx context.Context, ref Reference, d digest.Digest, maxBytes int64, creds Credentials,
) ([]byte, error) {
	if err := checkSHA256(d); err != nil {
		return nil, fault.Wrap(ref.Repository, err)
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	ref.Digest, ref.Tag, ref.SemVer = "", "", ""
	return firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) ([]byte, error) {
		content, err := r.smallBlob(ctx, d, maxBytes)
		return content, fault.Wrap("blob "+d.String(), err)
	})
}

func (r *repository) smallBlob(ctx context.Context, d digest.Digest, maxBytes int64) ([]byte, error) {
	req, err := r.request(ctx, "blobs", d.String())
	if err != nil {
		return nil, err
	}
	resp, err := r.exchange(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(httpclient.Limit(resp.Body, 0, maxBytes))
	if err != nil {
		return nil, err
	}
	if digest.FromBytes(content) != d {
		return nil, fault.Stall(v1alpha1.DigestMismatchReason, errors.New("the registry serves another blob under it"))
	}
	return content, nil
}
