package library

import (
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/edit"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/readiness"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

// The kinds of files of an edition, as those of a part. The objects are only those that
// were changed: the index says which.
const (
	editedObjectsKind = "edited-objects-v1"
	editedIndexKind   = "edited-index-v1"
)

// OpenEdited returns an opened release with the edits of a set: one for all who have equal
// edits. As Open, it never waits, and until the objects are edited the error wraps
// ErrFetching; who is told with Subscribe hears the name of the Bundle then. The error is
// EditInvalid for edits that do not fit the release.
func (l *Library) OpenEdited(opened *Bundle, edits v1alpha1.Edits) (*Bundle, error) {
	content, err := edit.Digest(opened.Digest, edits)
	if err != nil {
		return nil, err
	}
	resolved := opened.resolved
	if resolved.edit, err = edit.New(edits, resolved.definitions); err != nil {
		return nil, err
	}
	edited, err := l.releases.open(opened.owner, resolved, delivered(opened.ReadyWhen, resolved.edit))
	if err != nil {
		return nil, err
	}
	edited.Content = content
	return edited, nil
}

// delivered returns the expressions without those about objects that are left out.
func delivered(expressions [][]*readiness.Expression, e edit.Edit) [][]*readiness.Expression {
	kept := make([][]*readiness.Expression, len(expressions))
	for i, of := range expressions {
		kept[i] = slices.DeleteFunc(slices.Clone(of), func(x *readiness.Expression) bool {
			return e.LeavesOut(refOf(x.Object()), "")
		})
	}
	return kept
}

func refOf(object v1alpha1.ObjectReference) manifest.Ref {
	kind := schema.FromAPIVersionAndKind(object.APIVersion, object.Kind)
	return manifest.Ref{
		Group: kind.Group, Version: kind.Version, Kind: kind.Kind, Namespace: object.Namespace, Name: object.Name,
	}
}

// edition is a part with what an edit makes of its objects.
type edition struct {
	part source.Part
	edit edit.Edit
}

// digest is what the files of the edition are stored under. They go when nobody uses
// the edition, whatever becomes of the part.
func (e edition) digest() digest.Digest {
	return digest.FromString("addons.cluster.x-k8s.io/edition\n" + e.part.ID() + "\n" + e.edit.Key())
}

// editions edits the objects of parts that are indexed, each once for equal edits.
type editions struct {
	parts *indexing
	jobs  *jobs[edition, struct{}]
}

func newEditions(ctx context.Context, cfg Config, parts *indexing, notify func(types.NamespacedName)) *editions {
	x := &editions{parts: parts}
	x.jobs = newJobs(ctx, jobsConfig[edition, struct{}]{
		work:   func(ctx context.Context, e edition) (struct{}, error) { return struct{}{}, x.make(ctx, e) },
		notify: notify, clock: cfg.Clock,
	})
	return x
}

// index returns the index of a part with its objects edited, or starts what it takes to
// have one. An edit that touches none of them costs nothing.
func (x *editions) index(owner types.NamespacedName, e edition) (partIndex, error) {
	plain, err := x.parts.index(owner, e.part)
	if err != nil || !slices.ContainsFunc(plain.Entries, e.edit.Touches) {
		return plain, err
	}
	if index, err := x.read(e); err == nil {
		x.parts.store.Name(owner, e.digest())
		return index, nil
	}
	key, err := fingerprintOf([]any{e.digest(), e.part.Origin.Namespace})
	if err != nil {
		return partIndex{}, err
	}
	known := x.jobs.ensure(owner, key, e)
	return partIndex{}, known.pending(x.jobs.clock.Now(), e.part.From)
}

// read reads the index of an edition, if this process made it.
func (x *editions) read(e edition) (partIndex, error) {
	return x.parts.readFiles(e.part.Name, editedIndexKind, editedObjectsKind, e.digest())
}

// make edits the objects of a part, unless another did so in the meantime.
func (x *editions) make(ctx context.Context, e edition) error {
	namespace := e.part.Origin.Namespace
	ctx = store.WithNamespace(ctx, namespace)
	defer x.parts.store.Pin(e.part.Digest, e.digest())()
	release, err := x.parts.builds.Acquire(ctx, namespace)
	if err != nil {
		return err
	}
	defer release()
	lock, err := x.parts.store.LockDigest(ctx, e.digest(), namespace)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if _, err := x.read(e); err == nil {
		return nil
	}
	return x.derive(ctx, e)
}

// derive makes the object file and the index of an edition.
func (x *editions) derive(ctx context.Context, e edition) error {
	index, err := x.parts.readIndex(e.part)
	if err != nil {
		return err
	}
	plain, err := x.parts.store.OpenDerived(kindOf(objectsKind, e.part), e.part.Digest)
	if err != nil {
		return err
	}
	defer plain.Close() //nolint:errcheck // only read
	err = x.parts.store.Derive(ctx, editedObjectsKind, e.digest(), func(w io.Writer) error {
		return x.edit(ctx, e, index.Entries, plain, w)
	})
	if err != nil {
		return err
	}
	index.rename(e.part.Name, "")
	return x.parts.store.Derive(ctx, editedIndexKind, e.digest(), func(w io.Writer) error {
		return json.NewEncoder(w).Encode(index)
	})
}

// edit writes the objects that an edit changes to w, back to back, and their entries anew.
func (x *editions) edit(ctx context.Context, e edition, entries []manifest.Entry, plain io.ReaderAt, w io.Writer) error {
	var offset int64
	for i, entry := range entries {
		if !e.edit.Touches(entry) {
			continue
		}
		object, err := readObject(plain, entry)
		if err != nil {
			return damaged(x.parts.store, e.part.Digest, entry.Ref, err)
		}
		object, edited, err := x.editOne(ctx, e.edit, entry, object)
		if err != nil {
			return err
		}
		if edited.SHA256 == entry.SHA256 {
			continue
		}
		if _, err := w.Write(object); err != nil {
			return err
		}
		edited.Edited, edited.Offset = true, offset
		entries[i] = edited
		offset += edited.Length
	}
	return nil
}

// editOne edits an object, when there is memory for it beside documents and objects of
// other parts.
func (x *editions) editOne(
	ctx context.Context, e edit.Edit, entry manifest.Entry, object []byte,
) ([]byte, manifest.Entry, error) {
	memory := x.parts.settings.Load().Limits.MemoryToEdit(object)
	if err := x.parts.memory.Acquire(ctx, memory); err != nil {
		return nil, manifest.Entry{}, context.Cause(ctx)
	}
	defer x.parts.memory.Release(memory)
	return entry.Edit(object, x.parts.settings.Load().Limits.Object, func(tree map[string]any) (bool, error) {
		return e.Object(entry.Ref, tree)
	})
}
