package source

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/helm"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const (
	// ociScheme begins the address of a chart in a registry.
	ociScheme = "oci://"

	// chartMediaType is that of the layer with the chart, by
	// https://helm.sh/docs/topics/registries.
	chartMediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

	// renderedKind is the kind of a file with what came out of a rendering, under the
	// identity of what it was rendered from.
	renderedKind = "rendered-v2"
)

// helm returns the rendered chart as one part, and its Namespace as another if the
// source asks for it.
func (r *Resolver) helm(ctx context.Context, query Query) ([]Part, error) {
	src := *query.Source.Helm
	from := r.Describe(query.Source)
	if !helm.BuiltIn {
		return nil, fault.Wrap(from, helm.ErrNotBuiltIn)
	}
	archive, err := r.chart(ctx, query.Namespace, src)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	opts, warnings, err := r.renderOptions(ctx, query)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	made, err := r.rendered(ctx, archive, opts)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	part := Part{
		Digest: made.Digest, Warnings: slices.Concat(warnings, made.Warnings), Name: "chart " + path.Base(src.Chart),
		From: from, VerifiedBy: archive.signer, Artifact: archive.at, Namespace: src.Namespace,
		Fetch: func(ctx context.Context, _ store.Partial) (store.Body, error) {
			output, err := r.render(ctx, archive, opts)
			return store.Body{ReadCloser: output}, fault.Wrap(from, err)
		},
		Place: query.Namespace + ": " + from,
	}
	if opts.Random != helm.RefuseRandom {
		if part, err = r.perCluster(part, query, archive, opts); err != nil {
			return nil, fault.Wrap(from, err)
		}
	}
	if isTrue(src.CreateNamespace) {
		return []Part{part, namespacePart(src, from)}, nil
	}
	return []Part{part}, nil
}

// renderOptions puts together what a chart is rendered with, and what should be looked
// at in its values.
func (r *Resolver) renderOptions(ctx context.Context, query Query) (helm.Options, []string, error) {
	src := query.Source.Helm
	values, warnings, err := r.values(ctx, query)
	if err == nil {
		values, err = query.Changes.Values(values)
	}
	random := helm.RefuseRandom
	if src.RandomFunctions == v1alpha1.PerClusterRandomFunctions {
		random = helm.PlaceholderRandom
	}
	return helm.Options{
		ReleaseName: src.ReleaseName,
		Namespace:   src.Namespace,
		Values:      values,
		KubeVersion: cmp.Or(query.Kubernetes, r.Kubernetes),
		APIVersions: slices.Concat(src.APIVersions, query.APIVersions),
		IncludeCRDs: src.IncludeCRDs == nil || *src.IncludeCRDs,
		Hooks:       src.Hooks,
		Random:      random,
	}, warnings, err
}

// values merges the values of a source.
func (r *Resolver) values(ctx context.Context, query Query) (json.RawMessage, []string, error) {
	src := query.Source.Helm
	documents := make([]helm.Document, len(src.ValuesFrom))
	for i, from := range src.ValuesFrom {
		text, err := r.value(ctx, query.Namespace, from)
		if err != nil {
			return nil, nil, err
		}
		documents[i] = text
	}
	var inline []byte
	if src.Values != nil {
		inline = src.Values.Raw
	}
	if len(documents) == 0 {
		return helm.Values(nil, inline) // JSON is as small as it looks
	}
	var merged bytes.Buffer
	warnings, err := helm.ValuesTask.Run(ctx, r.Children, child.Call[helm.ValuesRequest]{
		Namespace: query.Namespace, In: helm.ValuesRequest{Documents: documents, Inline: inline}, Output: &merged,
	})
	return merged.Bytes(), warnings, err
}

// value reads the values that a reference names.
func (r *Resolver) value(ctx context.Context, namespace string, from v1alpha1.ValuesReference) (helm.Document, error) {
	name := from.Kind + " " + from.Name
	key := cmp.Or(from.Key, "values.yaml")
	var text []byte
	var found bool
	if from.Kind == "Secret" {
		secret, err := r.namedSecret(ctx, namespace, from.Name, r.current.Load().SecretTypes.Values)
		if err != nil {
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

// rendering is what came out of rendering a chart.
type rendering struct {
	// Digest of the output.
	Digest digest.Digest `json:"digest"`
	// Warnings are what should be looked at.
	Warnings []string `json:"warnings,omitempty"`
}

// rendered returns what a chart renders to. It is rendered once for each set of
// options.
func (r *Resolver) rendered(ctx context.Context, c chart, opts helm.Options) (rendering, error) {
	identity, err := helm.Identity(c.digest, opts)
	if err != nil {
		return rendering{}, err
	}
	if known, err := r.renderedBefore(digest.Digest(identity)); err == nil {
		return known, nil
	}
	if err := r.download(ctx, c); err != nil {
		return rendering{}, err
	}
	lock, err := r.Store.LockDigest(ctx, digest.Digest(identity), c.namespace)
	if err != nil {
		return rendering{}, err
	}
	defer lock.Unlock()
	if known, err := r.renderedBefore(digest.Digest(identity)); err == nil {
		return known, nil
	}
	made, err := r.renderStored(ctx, c, opts)
	if err != nil {
		return rendering{}, err
	}
	text, err := json.Marshal(made)
	if err != nil {
		return rendering{}, fmt.Errorf("rendered chart: %w", err)
	}
	return made, r.remember(ctx, renderedKind, digest.Digest(identity), string(text))
}

// renderStored returns what a chart renders to whose archive is in the store.
func (r *Resolver) renderStored(ctx context.Context, c chart, opts helm.Options) (rendering, error) {
	output, warnings, err := r.output(ctx, c, opts)
	if err != nil {
		return rendering{}, err
	}
	defer output.Close() //nolint:errcheck // only read
	sum, err := digest.FromReader(output)
	if err != nil {
		return rendering{}, fmt.Errorf("rendered chart: %w", err)
	}
	return rendering{Digest: sum, Warnings: warnings}, nil
}

// renderedBefore reads what came out of a rendering of the same things.
func (r *Resolver) renderedBefore(identity digest.Digest) (rendering, error) {
	text, err := r.recall(renderedKind, identity)
	if err != nil {
		return rendering{}, err
	}
	var known rendering
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return rendering{}, err
	}
	return known, known.Digest.Validate()
}

// render renders a chart into a file that is gone when it is closed.
func (r *Resolver) render(ctx context.Context, c chart, opts helm.Options) (io.ReadCloser, error) {
	if err := r.download(ctx, c); err != nil {
		return nil, err
	}
	output, _, err := r.output(ctx, c, opts)
	return output, err
}

// output is render for a chart whose archive is in the store. It also returns what
// should be looked at.
func (r *Resolver) output(ctx context.Context, c chart, opts helm.Options) (io.ReadCloser, []string, error) {
	archive, err := r.Store.Open(c.digest)
	if err != nil {
		return nil, nil, err
	}
	defer archive.Close() //nolint:errcheck // only read
	output, err := r.Store.Scratch()
	if err != nil {
		return nil, nil, err
	}
	warnings, err := helm.RenderTask.Run(ctx, r.Children, child.Call[helm.RenderRequest]{
		Namespace: c.namespace, In: helm.RenderRequest{Options: opts, Limits: r.current.Load().Charts}, Body: archive, Output: output,
	})
	if err == nil {
		_, err = output.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, nil, errors.Join(err, output.Close())
	}
	return output, warnings, nil
}

// download brings the archive of a chart into the store.
func (r *Resolver) download(ctx context.Context, c chart) error {
	_, err := r.Store.Resume(ctx, c.digest, c.place, c.fetch, r.current.Load().Charts.ArchiveBytes)
	return err
}
