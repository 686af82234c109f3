package source

import (
	"context"
	"path"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/release"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/fetch"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Static returns the part of a source that names its digest itself: https, file
// and inline. Where signatures are required there is none, and Resolve refuses it.
// Secrets that the source names are read when the part is fetched.
func (r *Resolver) Static(query Query) (Part, bool) {
	src := query.Source
	if r.current.Load().Signers != nil || src.HTTPS == nil && src.File == nil && src.Inline == nil {
		return Part{}, false
	}
	part := Part{
		Digest: digest.Digest(release.SourceDigest(src)),
		Name:   fetch.Name(src),
		From:   fetch.Describe(src),
		Fetch: func(ctx context.Context, have store.Partial) (store.Body, error) {
			return r.openStatic(ctx, query, have)
		},
	}
	if src.File != nil {
		part.Place = src.File.Path
	}
	if src.Inline == nil {
		part.Format = archive.FormatOfName(part.Name)
	}
	if src.HTTPS != nil {
		part.Place, part.Files, part.Kustomize = src.HTTPS.URL, src.HTTPS.Files, folderOf(src.HTTPS.Kustomize)
	}
	return part, true
}

// openStatic opens the bytes of a static source with the credentials of the time.
func (r *Resolver) openStatic(ctx context.Context, query Query, have store.Partial) (store.Body, error) {
	files := r.Sources
	if web := query.Source.HTTPS; web != nil {
		access, err := r.access(ctx, query.Namespace, fetch.Host(web.URL), web.SecretRef, web.CARef)
		if err != nil {
			return store.Body{}, fault.Wrap(fetch.Describe(query.Source), err)
		}
		files = files.As(access)
	}
	body, at, validator, err := files.OpenAt(ctx, query.Source, have.Offset, have.Validator)
	return store.Body{ReadCloser: body, Offset: at, Validator: validator}, err
}

// folderOf returns the folder of an archive with the kustomization that a source
// names; empty if it names none.
func folderOf(k *v1alpha1.Kustomize) string {
	if k == nil {
		return ""
	}
	return path.Clean(k.Path)
}
