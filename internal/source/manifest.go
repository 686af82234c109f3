package source

import (
	"bytes"
	"context"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
)

// readableKind is the kind of a file that says that a registry gave a manifest to a
// namespace, under the identity of the three.
const readableKind = "readable-v1"

// readManifest returns the manifest with digest d. If d is an index with one manifest it
// is that one.
func (a artifact) readManifest(ctx context.Context, d digest.Digest, creds oci.Credentials) ([]byte, error) {
	content, err := a.readDocument(ctx, d, creds)
	if err != nil {
		return nil, err
	}
	only, isIndex, err := oci.OnlyManifest(content)
	if err != nil || !isIndex {
		return content, fault.Wrap(a.ref.String(), err)
	}
	return a.readDocument(ctx, only, creds)
}

// readDocument returns the manifest or the index with digest d. That it is in the store
// does not mean that this namespace may have it: the registry that the source names has
// to give it once, and is asked again each time that the source is resolved. Only who
// reads the same for the same namespace is waited for.
func (a artifact) readDocument(ctx context.Context, d digest.Digest, creds oci.Credentials) ([]byte, error) {
	identity := digest.FromString(a.namespace + "\n" + a.place() + "\n" + d.String())
	lock, err := a.resolver.Store.LockDigest(ctx, identity, a.namespace)
	if err != nil {
		return nil, fault.Wrap(a.ref.String(), err)
	}
	defer lock.Unlock()
	if _, err := a.resolver.recall(readableKind, identity); err == nil {
		if err := a.checkDocument(ctx, d, creds); err != nil {
			return nil, err
		}
		if stored, err := a.resolver.stored(d, oci.MaxManifestBytes); err == nil {
			return stored, nil
		}
	}
	content, err := a.resolver.Registries.Manifest(ctx, a.ref, d, creds)
	if err != nil {
		return nil, err
	}
	if _, err = a.resolver.Store.Commit(ctx, d, bytes.NewReader(content), int64(len(content))); err != nil {
		return nil, err
	}
	return content, a.resolver.remember(ctx, readableKind, identity, a.ref.String())
}

// checkDocument asks the registry about a manifest that it gave before. About that of a
// tag, and about those of an index, it has just been asked.
func (a artifact) checkDocument(ctx context.Context, d digest.Digest, creds oci.Credentials) error {
	if a.ref.Digest != d.String() {
		return nil
	}
	return a.resolver.Registries.CheckManifest(ctx, a.ref, d, creds)
}
