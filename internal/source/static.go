package source

import (
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Static returns the part of a source that names its digest itself: https, file
// and inline. Where signatures are required there is none, and Resolve refuses it.
func (r *Resolver) Static(query Query) (Part, bool) {
	src := query.Source
	if r.RequireSignatures || src.HTTPS == nil && src.File == nil && src.Inline == nil {
		return Part{}, false
	}
	part := Part{
		Digest: digest.Digest(release.SourceDigest(src)),
		Name:   fetch.Name(src),
		From:   fetch.Describe(src),
		Fetch: func(ctx context.Context, have store.Partial) (store.Body, error) {
			body, at, validator, err := r.Sources.OpenAt(ctx, src, have.Offset, have.Validator)
			return store.Body{ReadCloser: body, Offset: at, Validator: validator}, err
		},
	}
	if src.Inline == nil {
		part.Format = archive.FormatOfName(part.Name)
	}
	if src.HTTPS != nil {
		part.Files = src.HTTPS.Files
	}
	return part, true
}
