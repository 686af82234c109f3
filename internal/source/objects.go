package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// resourceSetType is the type of the Secrets that ClusterResourceSet takes:
// sigs.k8s.io/cluster-api/api/addons/v1beta2.ClusterResourceSetSecretType.
const resourceSetType corev1.SecretType = "addons.cluster.x-k8s.io/resource-set"

// missingRetry is when to look again for an object that a source names and that
// does not exist. A watch usually notices it earlier.
const missingRetry = time.Minute

// notFound returns the error of something that a source names and that does not
// exist, with a format as of fmt.Errorf.
func notFound(format string, args ...any) error {
	return fault.Wait(v1alpha1.ReferenceNotFoundReason, missingRetry, fmt.Errorf(format, args...))
}

// gzipMagic begins what gzip compressed (RFC 1952, section 2.3.1).
var gzipMagic = []byte{0x1f, 0x8b}

// configMap returns a part for each key of a ConfigMap.
func (r *Resolver) configMap(ctx context.Context, namespace string, src v1alpha1.ConfigMapSource) ([]Part, error) {
	read := func(ctx context.Context) (map[string][]byte, error) {
		object := &corev1.ConfigMap{}
		if err := r.read(ctx, namespace, src.Name, object); err != nil {
			return nil, err
		}
		values := maps.Clone(object.BinaryData)
		if values == nil {
			values = make(map[string][]byte, len(object.Data))
		}
		for key, value := range object.Data {
			values[key] = []byte(value)
		}
		return values, nil
	}
	return r.keys(ctx, "ConfigMap "+src.Name, src.Keys, read)
}

// secret returns a part for each key of a Secret of the type that
// ClusterResourceSet takes.
func (r *Resolver) secret(ctx context.Context, namespace string, src v1alpha1.SecretSource) ([]Part, error) {
	read := func(ctx context.Context) (map[string][]byte, error) {
		object := &corev1.Secret{}
		if err := r.read(ctx, namespace, src.Name, object); err != nil {
			return nil, err
		}
		if object.Type != resourceSetType {
			return nil, fault.Stallf(v1alpha1.ReferenceInvalidReason,
				"it is of the type %s, not of %s: the type of a Secret cannot be changed, make it again", object.Type, resourceSetType)
		}
		return object.Data, nil
	}
	return r.keys(ctx, "Secret "+src.Name, src.Keys, read)
}

// read reads an object of the management cluster.
func (r *Resolver) read(ctx context.Context, namespace, name string, object client.Object) error {
	err := r.Objects.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, object)
	if apierrors.IsNotFound(err) {
		return notFound("it does not exist in this namespace")
	}
	return err
}

// keys returns a part for each wanted key of an object's values: all of them in
// lexical order where none is named.
func (r *Resolver) keys(
	ctx context.Context, from string, wanted []string, read func(context.Context) (map[string][]byte, error),
) ([]Part, error) {
	values, err := read(ctx)
	if err != nil {
		return nil, fault.Wrap(from, err)
	}
	if len(wanted) == 0 {
		wanted = slices.Sorted(maps.Keys(values))
	}
	parts := make([]Part, 0, len(wanted))
	for _, key := range wanted {
		value, ok := values[key]
		if !ok {
			return nil, notFound("%s: it has no key %q", from, key)
		}
		part := Part{
			Digest: digest.FromBytes(value), Name: from + " key " + key, From: from,
			Fetch: func(ctx context.Context, _ store.Partial) (store.Body, error) {
				values, err := read(ctx)
				return store.Body{ReadCloser: io.NopCloser(bytes.NewReader(values[key]))}, fault.Wrap(from, err)
			},
		}
		if bytes.HasPrefix(value, gzipMagic) {
			part.Format = archive.Gzip
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return nil, notFound("%s: it has no keys", from)
	}
	return parts, nil
}
