package source

import (
	"cmp"
	"context"
	"io"
	"net/url"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// chart is the archive of a chart.
type chart struct {
	digest digest.Digest
	fetch  store.OpenFunc
	// place is that of a Part.
	place string
	// namespace that it is rendered for.
	namespace string
	// signer is who signed it, if it has to be signed.
	signer string
	// at is where it was found: of a chart in a registry its artifact.
	at Artifact
}

// chart returns the archive that the source names.
func (r *Resolver) chart(ctx context.Context, namespace string, src v1alpha1.HelmSource) (chart, error) {
	found, err := r.locate(ctx, namespace, src)
	if err != nil {
		return chart{}, err
	}
	found.namespace = namespace
	if found.at.Digest == "" {
		found.at = Artifact{Reference: chartAddress(src), Tag: src.Version, Digest: found.digest}
	}
	if src.Digest != "" && found.digest != digest.Digest(src.Digest) {
		return chart{}, fault.Stallf(v1alpha1.DigestMismatchReason, "the chart is not that of the digest %s", src.Digest)
	}
	return found, nil
}

// locate finds a chart in a registry, in a chart repository, or at its URL.
func (r *Resolver) locate(ctx context.Context, namespace string, src v1alpha1.HelmSource) (chart, error) {
	if repository, ok := strings.CutPrefix(src.Chart, ociScheme); ok {
		return r.chartInRegistry(ctx, namespace, repository, src)
	}
	at, err := url.Parse(src.Chart)
	if err != nil {
		return chart{}, fault.Stallf(v1alpha1.SourceInvalidReason, "the URL of the chart cannot be parsed")
	}
	if strings.HasSuffix(at.Path, ".tgz") {
		if src.Digest == "" {
			return chart{}, fault.Stallf(v1alpha1.SourceInvalidReason, "the URL of a chart archive needs its digest")
		}
		return r.chartAt(namespace, at, digest.Digest(src.Digest), src), nil
	}
	return r.chartInRepository(ctx, namespace, at, src)
}

// chartInRegistry finds a chart whose version is a tag: Helm writes _ for +.
func (r *Resolver) chartInRegistry(
	ctx context.Context, namespace, repository string, src v1alpha1.HelmSource,
) (chart, error) {
	from := artifact{
		resolver: r, namespace: namespace, secretRef: src.SecretRef, caRef: src.CARef, verify: src.Verify,
		ref: oci.Reference{
			Repository: repository, Tag: strings.ReplaceAll(src.Version, "+", "_"),
			Insecure: isTrue(src.Insecure),
		},
	}
	found, err := from.find(ctx)
	if err != nil {
		return chart{}, err
	}
	if !oci.HasLayer(found.manifest, chartMediaType) {
		return chart{}, fault.Stallf(v1alpha1.ArtifactInvalidReason,
			"the artifact has no layer of the media type %s, so it is no Helm chart: use an oci source", chartMediaType)
	}
	layers, err := oci.Layers(found.manifest, []string{chartMediaType}, func(string, string) bool { return true })
	if err != nil {
		return chart{}, err
	}
	found.Reference = ociScheme + found.Reference
	return chart{
		digest: layers[0].Digest, fetch: from.fetch(layers[0]), place: from.place(), signer: found.signer,
		at: found.Artifact,
	}, nil
}

// chartInRepository finds a chart in the index of a chart repository.
func (r *Resolver) chartInRepository(
	ctx context.Context, namespace string, at *url.URL, src v1alpha1.HelmSource,
) (chart, error) {
	repository := at.JoinPath("..")
	index, err := r.openIndex(ctx, namespace, repository.JoinPath("index.yaml"), src)
	if err != nil {
		return chart{}, err
	}
	defer index.Close() //nolint:errcheck // only read
	found, sum, err := helm.ChartURL(index, repository, path.Base(at.Path), src.Version)
	if err != nil {
		return chart{}, err
	}
	if sum = cmp.Or(sum, digest.Digest(src.Digest)); sum == "" {
		return chart{}, fault.Stallf(v1alpha1.SourceInvalidReason,
			"the index of the chart repository has no digest of the chart: the source needs one")
	}
	archive, err := url.Parse(found)
	if err != nil {
		return chart{}, fault.Stallf(v1alpha1.SourceInvalidReason, "the index of the chart repository has a bad URL")
	}
	if archive.Host != at.Host || archive.Scheme != at.Scheme {
		return r.chartAt(namespace, archive, sum, v1alpha1.HelmSource{}), nil
	}
	archive.User = at.User
	return r.chartAt(namespace, archive, sum, src), nil
}

// chartAt returns the archive at a URL. It is fetched with the Secrets that src names:
// those are for the server of the chart's URL only.
func (r *Resolver) chartAt(namespace string, at *url.URL, sum digest.Digest, src v1alpha1.HelmSource) chart {
	part, _ := r.Static(Query{Namespace: namespace, Source: v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
		URL: at.String(), Digest: v1alpha1.Digest(sum), SecretRef: src.SecretRef, CARef: src.CARef,
	}}})
	return chart{digest: sum, fetch: part.Fetch, place: part.Place}
}

// openIndex opens the index of a chart repository: it changes, and has no digest.
func (r *Resolver) openIndex(
	ctx context.Context, namespace string, at *url.URL, src v1alpha1.HelmSource,
) (io.ReadCloser, error) {
	access, err := r.access(ctx, namespace, at.Host, src.SecretRef, src.CARef)
	if err != nil {
		return nil, err
	}
	return r.Sources.As(access).Open(ctx, v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: at.String()}})
}
