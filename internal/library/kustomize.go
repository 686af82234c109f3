package library

import (
	"bytes"
	"context"
	"io"
	"iter"
	"path"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/kustomize"
)

// files iterates over the files of a part with manifests: those that were packed, or
// what the kustomization among them is built to.
func (x *indexing) files(ctx context.Context, packed io.ReadSeeker, part source.Part) iter.Seq2[archive.File, error] {
	folder, err := x.kustomization(packed, part)
	if err == nil && folder == "" {
		return archive.Files(packed, part.Format, part.Files, x.settings.Load().Archives, x.scratch)
	}
	return func(yield func(archive.File, error) bool) {
		var built []byte
		if err == nil {
			built, err = x.kustomized(ctx, packed, part, folder)
		}
		if err != nil {
			yield(archive.File{}, err)
			return
		}
		yield(archive.File{Name: path.Join(folder, "kustomization") + " (built)", Reader: bytes.NewReader(built)}, nil)
	}
}

// kustomization returns the folder of the kustomization to build: that which the part
// names, or the root of an archive that has one there. It is empty if there is none.
func (x *indexing) kustomization(packed io.ReadSeeker, part source.Part) (string, error) {
	if part.Kustomize != "" && !part.Format.IsArchive() {
		return "", fault.Stallf(v1alpha1.SourceInvalidReason, "kustomize is for archives, and this is none")
	}
	if part.Kustomize != "" || len(part.Files) > 0 || !part.Format.IsArchive() {
		return part.Kustomize, nil
	}
	found, err := archive.HasFile(packed, part.Format, x.settings.Load().Archives, kustomize.FileNames())
	if err != nil {
		return "", err
	}
	_, err = packed.Seek(0, io.SeekStart)
	if !found {
		return "", err
	}
	return ".", err
}

// kustomized returns the objects of a kustomization, which a child process builds.
func (x *indexing) kustomized(ctx context.Context, packed io.Reader, part source.Part, folder string) ([]byte, error) {
	var built bytes.Buffer
	_, err := kustomize.BuildTask.Run(ctx, x.children, child.Call[kustomize.Request]{
		Namespace: part.Origin.Namespace, Body: packed, Output: &built,
		In: kustomize.Request{Folder: folder, Format: part.Format, Limits: x.settings.Load().Archives},
	})
	return built.Bytes(), err
}
