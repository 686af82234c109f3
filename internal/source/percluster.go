package source

import (
	"bytes"
	"context"
	"io"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/rendered"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// perCluster returns the part of a chart that is rendered for each Cluster, given its
// placeholders.
func (r *Resolver) perCluster(placeholders Part, query Query, c chart, opts helm.Options) (Part, error) {
	written := opts
	// The kinds of other sources are no reason for other certificates.
	written.APIVersions = query.Source.Helm.APIVersions
	identity, err := helm.ClusterIdentity(c.digest, written)
	if err != nil {
		return Part{}, err
	}
	opts.Random = helm.TrueRandom
	part := placeholders
	part.Identity = identity + "+cluster"
	part.ForCluster = func(ctx context.Context, cluster Cluster) (Part, error) {
		of := rendered.Rendering{
			Cluster: types.NamespacedName{Namespace: cluster.Namespace, Name: cluster.Name}, UID: cluster.UID,
			Identity: identity, Chart: part.From,
		}
		packed, err := r.renderOnce(ctx, of, c, opts)
		if err != nil {
			return Part{}, fault.Wrap(part.From, err)
		}
		return r.ofCluster(part, of, packed), nil
	}
	return part, nil
}

// renderOnce returns what is kept of a rendering for a Cluster, compressed with gzip. If
// nothing is, the chart is rendered, and that is kept.
func (r *Resolver) renderOnce(
	ctx context.Context, of rendered.Rendering, c chart, opts helm.Options,
) ([]byte, error) {
	kept, err := r.Renderings.Load(ctx, of)
	if kept != nil || err != nil {
		return kept, err
	}
	output, err := r.render(ctx, c, opts)
	if err != nil {
		return nil, err
	}
	defer output.Close() //nolint:errcheck // only read
	return r.Renderings.Save(ctx, of, output)
}

// ofCluster returns the part of a Cluster. It is never rendered again: its bytes are read
// where they are kept.
func (r *Resolver) ofCluster(part Part, of rendered.Rendering, packed []byte) Part {
	from := "Secret " + of.SecretName() + " of " + part.From
	part.Digest, part.Format, part.From = digest.FromBytes(packed), archive.Gzip, from
	part.Place, part.ForCluster = of.Cluster.Namespace+": "+from, nil
	part.Fetch = func(ctx context.Context, _ store.Partial) (store.Body, error) {
		kept, err := r.Renderings.Load(ctx, of)
		if err == nil && kept == nil {
			err = notFound("it is gone: the chart is rendered anew")
		}
		return store.Body{ReadCloser: io.NopCloser(bytes.NewReader(kept))}, fault.Wrap(from, err)
	}
	return part
}
