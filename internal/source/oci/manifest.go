package oci

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// The media types of manifests that are asked for.
const (
	dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
	dockerList     = "application/vnd.docker.distribution.manifest.list.v2+json"
)

var manifestTypes = []string{
	ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, dockerManifest, dockerList,
}

// attestation is the annotation of entries of an index that are about others.
const attestation = "vnd.docker.reference.type"

// Manifest returns the manifest or the index with digest d, whose bytes were checked
// against d.
func (c *Client) Manifest(ctx context.Context, ref Reference, d digest.Digest, creds Credentials) ([]byte, error) {
	if _, err := ref.parseRepository(); err != nil {
		return nil, err
	}
	if err := checkSHA256(d); err != nil {
		return nil, fault.Wrap(ref.Repository, err)
	}
	ctx, stop := c.bounded(ctx)
	defer stop()
	ref.Digest = d.String()
	return firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) ([]byte, error) {
		return r.verifiedManifest(ctx, d)
	})
}

// CheckManifest asks the registry whether the manifest or the index with digest d may be
// read. Most registries do not count that as a download.
func (c *Client) CheckManifest(ctx context.Context, ref Reference, d digest.Digest, creds Credentials) error {
	ctx, stop := c.bounded(ctx)
	defer stop()
	ref.Digest = d.String()
	_, err := firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) (digest.Digest, error) {
		return r.resolve(ctx, d.String())
	})
	return err
}

func (r *repository) verifiedManifest(ctx context.Context, d digest.Digest) ([]byte, error) {
	content, err := r.getManifest(ctx, d.String())
	if err != nil {
		return nil, err
	}
	if digest.FromBytes(content) != d {
		return nil, fault.Stallf(v1alpha1.DigestMismatchReason, "the registry serves another manifest under the digest %s", d)
	}
	return content, nil
}

// getManifest returns the manifest under a tag or a digest, as the registry has it.
func (r *repository) getManifest(ctx context.Context, reference string) ([]byte, error) {
	req, err := r.request(ctx, "manifests", reference)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", strings.Join(manifestTypes, ", "))
	resp, err := r.Do(req)
	if err != nil {
		return nil, fault.Wrap("manifest", err)
	}
	defer func() { _ = resp.Body.Close() }()
	content, err := io.ReadAll(resp.Body)
	return content, fault.Wrap("manifest", err)
}

// request returns a GET request for something of the repository, as the
// distribution specification has its URLs.
func (r *repository) request(ctx context.Context, what, name string) (*http.Request, error) {
	u := fmt.Sprintf("%s://%s/v2/%s/%s/%s", r.endpoint.scheme(), r.endpoint.ref.Host(), r.name, what, name)
	return http.NewRequestWithContext(ctx, http.MethodGet, u, http.NoBody)
}

// OnlyManifest returns the digest of the only manifest of an index; ok is false for what
// is no index. Attestations do not count. An index with several manifests is
// ArtifactInvalid, and the message names the first of them.
func OnlyManifest(content []byte) (d digest.Digest, ok bool, err error) {
	var index ocispec.Index
	if err := decode(content, &index); err != nil {
		return "", false, err
	}
	isIndex := index.MediaType == ocispec.MediaTypeImageIndex || index.MediaType == dockerList
	if !isIndex && index.Manifests == nil {
		return "", false, nil
	}
	manifests := slices.DeleteFunc(index.Manifests, func(m ocispec.Descriptor) bool {
		return m.Annotations[attestation] != ""
	})
	switch len(manifests) {
	case 0:
		return "", false, artifactInvalid("it is an index of 0 manifests: push an artifact, or an index of one")
	case 1:
		return manifests[0].Digest, true, checkSHA256(manifests[0].Digest)
	}
	return "", false, artifactInvalid("it is an index of %d manifests, not of one: name the digest of one of them: %s",
		len(manifests), candidates(manifests))
}

// candidates names the first manifests of an index by their digests and by what
// distinguishes them: platform or type.
func candidates(manifests []ocispec.Descriptor) string {
	names := make([]string, len(manifests))
	for i, m := range manifests {
		what := text.Line(cmp.Or(m.ArtifactType, m.MediaType), maxNameText)
		if m.Platform != nil {
			what = text.Line(path.Join(m.Platform.OS, m.Platform.Architecture, m.Platform.Variant), maxNameText)
		}
		names[i] = text.Line(m.Digest.String(), maxNameText) + " (" + what + ")"
	}
	return text.List(names, maxNamed, ", ")
}

// maxNodes bounds the values and keys of a manifest: its descriptors take 40 times as much
// memory as their text can. One with 256 layers has less than 10,000.
const maxNodes = 50_000

// decode reads the JSON of a manifest or an index into a value.
func decode(content []byte, into any) error {
	if manifest.CountNodes(content, maxNodes) > maxNodes {
		return fault.Stallf(v1alpha1.LimitExceededReason, "the manifest has more than %d keys and values", maxNodes)
	}
	if json.Unmarshal(content, into) != nil {
		return notAManifest()
	}
	return nil
}

func notAManifest() error {
	return artifactInvalid("the manifest is not JSON of the form that the image specification gives")
}

func artifactInvalid(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ArtifactInvalidReason, format, args...)
}
