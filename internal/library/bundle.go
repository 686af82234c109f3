package library

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/plan"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// Bundle is a release that was fetched, verified, indexed and planned. It is
// immutable, and shared by all clusters unless Library.OpenFor made it for one.
type Bundle struct {
	// Digest of the release.
	Digest v1alpha1.Digest
	// Content is the identity of what is applied: Digest, unless the release is edited
	// or patched.
	Content v1alpha1.Digest
	// Plan of the release.
	Plan *plan.Plan
	// ReadyWhen are the compiled expressions of each phase.
	ReadyWhen [][]*readiness.Expression
	// Bytes of the sources as fetched.
	Bytes int64
	// VerifiedBy names who signed the sources that had to be signed, sorted.
	VerifiedBy []string
	// Artifacts are what its oci and helm sources stand for, in their order.
	Artifacts []v1alpha1.ArtifactStatus
	// Warnings are what should be looked at, as resolving and indexing its sources
	// found it: sorted, unique, and within the bounds of the API.
	Warnings []string
	// Findings are those of the Warnings that indexing found.
	Findings []string
	// Problem is why a source could not be resolved again; nil if there is none.
	// The Bundle then holds the parts that the source had before.
	Problem error

	store *store.Store
	parts map[string]source.Part // by the Blob of their objects
	// editions are where edited objects are.
	editions []digest.Digest
	// owner is the Bundle that it was opened for, and resolved what it was made of.
	owner    types.NamespacedName
	resolved resolved
	// patched reads an object that is patched, and is false for others; nil if none is.
	patched func(object plan.Object) ([]byte, bool, error)
}

// JSON reads the bytes of an object of the plan. If they are not those that were
// indexed, it is an error with the reason StoreFailed, and the files are removed
// from disk, so that they are fetched again.
func (b *Bundle) JSON(object plan.Object) ([]byte, error) {
	if b.patched != nil {
		if body, ok, err := b.patched(object); ok {
			return body, err
		}
	}
	kind, d := b.fileOf(object)
	file, err := b.store.OpenDerived(kind, d)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, b.damaged(object, errors.New("the object file is gone"))
	}
	if err != nil {
		return nil, fault.Retry(v1alpha1.StoreFailedReason, fmt.Errorf("%s: %w", object.Ref, err))
	}
	defer file.Close() //nolint:errcheck // only read
	body, err := readObject(file, object.Entry)
	if err != nil {
		return nil, b.damaged(object, err)
	}
	return body, nil
}

// readObject reads the bytes of an object from its file. Other bytes than those that were
// indexed are an error.
func readObject(file io.ReaderAt, entry manifest.Entry) ([]byte, error) {
	body := make([]byte, entry.Length)
	if _, err := io.ReadFull(io.NewSectionReader(file, entry.Offset, entry.Length), body); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the end of this file is not the end of the Bundle
		}
		return nil, err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != entry.SHA256 {
		return nil, errors.New("its sha256 is not the one that was indexed")
	}
	return body, nil
}

// fileOf returns the kind and the digest of the file that an object is in.
func (b *Bundle) fileOf(object plan.Object) (kind string, d digest.Digest) {
	part := b.parts[object.Blob]
	if object.Edited {
		return editedObjectsKind, edition{part, b.resolved.edit}.digest()
	}
	return kindOf(objectsKind, part), part.Digest
}

// Hold keeps the bytes of the Bundle from being evicted until release is called.
func (b *Bundle) Hold() (release func()) {
	digests := slices.Clone(b.editions)
	for _, part := range b.parts {
		digests = append(digests, part.Digest)
	}
	return b.store.Pin(digests...)
}

var errDamaged = errors.New("the cache directory is damaged")

// damaged removes the files of the object's source, or of what was edited of it, and
// returns the error about it.
func (b *Bundle) damaged(object plan.Object, cause error) error {
	_, d := b.fileOf(object)
	return damaged(b.store, d, object.Ref, cause)
}

// damaged removes the files that are stored under the digest, and returns the error about
// an object in them.
func damaged(files *store.Store, d digest.Digest, object manifest.Ref, cause error) error {
	err := fmt.Errorf("%s: %w: %w: it is fetched again", object, errDamaged, cause)
	if removal := files.Remove(d); removal != nil {
		err = fmt.Errorf("%w; %w", err, removal)
	}
	return fault.Retry(v1alpha1.StoreFailedReason, err)
}
