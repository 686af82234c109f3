package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const (
	// ociScheme begins the address of a chart in a registry.
	ociScheme = "oci://"

	// chartMediaType is that of the layer with the chart, by
	// https://helm.sh/docs/topics/registries.
	chartMediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

	// renderedKind is the kind of a file with the digest of what was rendered,
	// under the identity of what it was rendered from.
	renderedKind = "rendered-v1"
)

// helm returns the rendered chart as one part.
func (r *Resolver) helm(ctx context.Context, query Query) ([]Part, error) {
	src := *query.Source.Helm
	from := r.Describe(query.Source)
	archive, err := r.chart(ctx, query.Namespace, src)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	opts, err := r.renderOptions(ctx, query)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	rendered, err := r.rendered(ctx, archive, opts)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	return []Part{{
		Digest: rendered, Name: "chart " + path.Base(src.Chart), From: from, VerifiedBy: archive.signer,
		Namespace: src.Namespace,
		Fetch: func(ctx context.Context, _ store.Partial) (store.Body, error) {
			output, err := r.render(ctx, archive, opts)
			return store.Body{ReadCloser: output}, fault.Wrap(from, err)
		},
	}}, nil
}

// renderOptions puts together what a chart is rendered with.
func (r *Resolver) renderOptions(ctx context.Context, query Query) (helm.Options, error) {
	src := query.Source.Helm
	documents := make([]helm.Document, len(src.ValuesFrom))
	for i, from := range src.ValuesFrom {
		text, err := r.value(ctx, query.Namespace, from)
		if err != nil {
			return helm.Options{}, err
		}
		documents[i] = text
	}
	var inline []byte
	if src.Values != nil {
		inline = src.Values.Raw
	}
	values, err := helm.Values(documents, inline)
	return helm.Options{
		ReleaseName: src.ReleaseName,
		Namespace:   src.Namespace,
		Values:      values,
		KubeVersion: cmp.Or(query.Kubernetes, r.Kubernetes),
		APIVersions: slices.Concat(src.APIVersions, query.APIVersions),
		IncludeCRDs: src.IncludeCRDs == nil || *src.IncludeCRDs,
		Hooks:       src.Hooks,
	}, err
}

// value reads the values that a reference names.
func (r *Resolver) value(ctx context.Context, namespace string, from v1alpha1.ValuesReference) (helm.Document, error) {
	name := from.Kind + " " + from.Name
	key := cmp.Or(from.Key, "values.yaml")
	var text []byte
	var found bool
	if from.Kind == "Secret" {
		secret := &corev1.Secret{}
		if err := r.read(ctx, namespace, from.Name, secret); err != nil {
			return helm.Document{}, fault.Wrap(name, err)
		}
		text, found = secret.Data[key]
	} else {
		configMap := &corev1.ConfigMap{}
		if err := r.read(ctx, namespace, from.Name, configMap); err != nil {
			return helm.Document{}, fault.Wrap(name, err)
		}
		var value string
		value, found = configMap.Data[key]
		text = []byte(value)
	}
	if !found {
		return helm.Document{}, notFound("%s: it has no key %q", name, key)
	}
	return helm.Document{Name: name + " key " + key, YAML: text}, nil
}

// rendered returns the digest of what a chart renders to. It is rendered once
// for each set of options.
func (r *Resolver) rendered(ctx context.Context, c chart, opts helm.Options) (digest.Digest, error) {
	identity, err := helm.Identity(c.digest, opts)
	if err != nil {
		return "", err
	}
	lock, err := r.Store.LockDigest(ctx, digest.Digest(identity))
	if err != nil {
		return "", err
	}
	defer lock.Unlock()
	if known, err := r.renderedBefore(digest.Digest(identity)); err == nil {
		return known, nil
	}
	output, err := r.render(ctx, c, opts)
	if err != nil {
		return "", err
	}
	defer output.Close() //nolint:errcheck // only read
	sum, err := digest.FromReader(output)
	if err != nil {
		return "", fmt.Errorf("rendered chart: %w", err)
	}
	return sum, r.remember(renderedKind, digest.Digest(identity), sum.String())
}

// renderedBefore reads the digest of what was rendered from the same things.
func (r *Resolver) renderedBefore(identity digest.Digest) (digest.Digest, error) {
	text, err := r.recall(renderedKind, identity, maxDigest)
	if err != nil {
		return "", err
	}
	return digest.Parse(text)
}

// maxDigest is the length of a digest in text.
const maxDigest = len("sha256:") + 64

// render renders a chart into a file that is gone when it is closed.
func (r *Resolver) render(ctx context.Context, c chart, opts helm.Options) (io.ReadCloser, error) {
	if err := r.download(ctx, c); err != nil {
		return nil, err
	}
	archive, err := r.Store.Open(c.digest)
	if err != nil {
		return nil, err
	}
	defer archive.Close() //nolint:errcheck // only read
	output, err := r.Store.Scratch()
	if err != nil {
		return nil, err
	}
	if err := helm.Render(ctx, archive, output, opts, helm.DefaultLimits()); err != nil {
		return nil, errors.Join(err, output.Close())
	}
	if _, err := output.Seek(0, io.SeekStart); err != nil {
		return nil, errors.Join(err, output.Close())
	}
	return output, nil
}

// download brings the archive of a chart into the store.
func (r *Resolver) download(ctx context.Context, c chart) error {
	_, err := r.Store.Resume(ctx, c.digest, c.fetch, helm.DefaultLimits().ArchiveBytes)
	return err
}
