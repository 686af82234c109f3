package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// artifact is an artifact in a registry and how to speak with it.
type artifact struct {
	resolver  *Resolver
	ref       oci.Reference
	namespace string
	secretRef v1alpha1.LocalReference
	caRef     v1alpha1.LocalReference
	verify    *v1alpha1.Verify
}

func (r *Resolver) artifact(namespace string, src v1alpha1.OCISource) artifact {
	return artifact{
		resolver: r, namespace: namespace, secretRef: src.SecretRef, caRef: src.CARef,
		ref: referenceOf(src), verify: src.Verify,
	}
}

func referenceOf(src v1alpha1.OCISource) oci.Reference {
	return oci.Reference{
		Repository: src.Repository, Tag: src.Tag, Digest: string(src.Digest), SemVer: src.SemVer,
		Insecure: isTrue(src.Insecure),
	}
}

// oci returns a part for each layer of an artifact.
func (r *Resolver) oci(ctx context.Context, namespace string, src v1alpha1.OCISource) ([]Part, error) {
	from := r.artifact(namespace, src)
	found, err := from.find(ctx)
	if err != nil {
		return nil, err
	}
	layers, err := from.layers(ctx, found.manifest, src.Layers)
	if err != nil {
		return nil, fault.Wrap(from.ref.String(), err)
	}
	parts := make([]Part, len(layers))
	for i, layer := range layers {
		format, _ := archive.FormatOfMediaType(layer.MediaType, layer.Title)
		parts[i] = Part{
			Digest: layer.Digest, Name: cmp.Or(layer.Title, src.Repository), From: from.ref.String(),
			Format: format, VerifiedBy: found.signer, Artifact: found.Artifact,
			Fetch: from.fetch(layer), Place: from.place(),
		}
		if format.IsArchive() {
			parts[i].Files, parts[i].Kustomize = src.Files, folderOf(src.Kustomize)
		}
	}
	if src.Kustomize != nil && !slices.ContainsFunc(parts, func(p Part) bool { return p.Format.IsArchive() }) {
		return nil, fault.Stallf(v1alpha1.SourceInvalidReason,
			"%s: kustomize is for a layer that is an archive, and there is none", from.ref)
	}
	return parts, nil
}

// pinned is an artifact that a reference stands for.
type pinned struct {
	Artifact

	manifest []byte
	// signer is who signed it, if it has to be signed.
	signer string
}

// find returns what the reference stands for now.
func (a artifact) find(ctx context.Context) (pinned, error) {
	creds, err := a.credentials(ctx)
	if err != nil {
		return pinned{}, fault.Wrap(a.ref.String(), err)
	}
	at, err := a.locate(ctx, creds)
	if err != nil {
		return pinned{}, err
	}
	// Of an index it is the index that is signed.
	signer, err := a.verified(ctx, at.Digest, creds)
	if err != nil {
		return pinned{}, err
	}
	manifest, err := a.readManifest(ctx, at.Digest, creds)
	return pinned{Artifact: at, manifest: manifest, signer: signer}, err
}

// locate asks the registry for the newest tag, if there is a constraint, and for the
// digest.
func (a artifact) locate(ctx context.Context, creds oci.Credentials) (Artifact, error) {
	ref := a.ref
	if ref.Digest == "" && ref.Tag == "" {
		newest, err := a.resolver.Registries.Newest(ctx, ref, creds)
		if err != nil {
			return Artifact{}, err
		}
		ref.Tag = newest
	}
	d, err := a.resolver.Registries.Resolve(ctx, ref, creds)
	return Artifact{Reference: ref.Repository, Tag: ref.Tag, Digest: d}, err
}

// layers returns the layers of a manifest to read: of one in the provider's own
// layout those of its phases, in their order, wanted by the name of the phase.
func (a artifact) layers(ctx context.Context, manifest []byte, wanted []string) ([]oci.Layer, error) {
	plan, ok, err := oci.PlanOf(manifest)
	if err != nil {
		return nil, err
	}
	if oci.HasLayer(manifest, chartMediaType) {
		return nil, fault.Stallf(v1alpha1.ArtifactInvalidReason,
			"it is a Helm chart: use a helm source with chart: %s%s and the tag as its version", ociScheme, a.ref.Repository)
	}
	if !ok {
		return oci.Layers(manifest, wanted, func(mediaType, title string) bool {
			_, known := archive.FormatOfMediaType(mediaType, title)
			return known
		})
	}
	config, err := a.small(ctx, plan)
	if err != nil {
		return nil, err
	}
	phases, err := oci.Phases(manifest, config)
	if err != nil {
		return nil, err
	}
	var layers []oci.Layer
	for _, phase := range phases {
		if len(wanted) == 0 || slices.Contains(wanted, phase.Name) {
			layers = append(layers, phase.Layer)
		}
	}
	if len(layers) == 0 {
		return nil, fault.Stallf(v1alpha1.ArtifactInvalidReason, "it has none of the phases %q", wanted)
	}
	return layers, nil
}

// maxConfig bounds the config of an artifact in the provider's own layout.
const maxConfig = 1 << 20

// small reads a small blob whole.
func (a artifact) small(ctx context.Context, layer oci.Layer) ([]byte, error) {
	if layer.Size > maxConfig {
		return nil, fault.Stallf(v1alpha1.LimitExceededReason, "config of %d bytes: the limit is %d", layer.Size, maxConfig)
	}
	if stored, err := a.resolver.stored(layer.Digest, maxConfig); err == nil {
		return stored, nil
	}
	if _, err := a.resolver.Store.Resume(ctx, layer.Digest, a.place(), a.fetch(layer), maxConfig); err != nil {
		return nil, err
	}
	return a.resolver.stored(layer.Digest, maxConfig)
}

// fetch opens a layer with the credentials of the time.
func (a artifact) fetch(layer oci.Layer) store.OpenFunc {
	return func(ctx context.Context, have store.Partial) (store.Body, error) {
		creds, err := a.credentials(ctx)
		if err != nil {
			return store.Body{}, fault.Wrap(a.ref.String(), err)
		}
		body, at, err := a.resolver.Registries.Blob(ctx, a.ref, layer, have.Offset, creds)
		// The digest is the validator: the same name is always the same bytes.
		return store.Body{ReadCloser: body, Offset: at, Validator: string(layer.Digest)}, err
	}
}

// place names the repository for those who download from it.
func (a artifact) place() string {
	return fmt.Sprintf("%s insecure=%t", a.ref.Repository, a.ref.Insecure)
}

// credentials reads the Secrets that the source names.
func (a artifact) credentials(ctx context.Context) (oci.Credentials, error) {
	return a.resolver.credentials(ctx, a.namespace, a.ref.Repository, a.secretRef, a.caRef)
}

// stored reads a blob of at most limit bytes from the store. A larger one, which another
// source may have brought, is as one that is not there.
func (r *Resolver) stored(d digest.Digest, limit int64) ([]byte, error) {
	if size, ok := r.Store.Has(d); !ok || size > limit {
		return nil, fs.ErrNotExist
	}
	file, err := r.Store.Open(d)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	kept, err := io.ReadAll(file)
	if err == nil && digest.FromBytes(kept) != d {
		return nil, errors.Join(fs.ErrNotExist, r.Store.Remove(d))
	}
	return kept, err
}
