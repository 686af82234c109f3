package kustomize

import (
	"bytes"
	"io"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/archive"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/child"
)

// maxTreeBytes bounds an archive with a kustomization, unpacked: it is in memory while that
// is built.
const maxTreeBytes = 64 << 20

// Request is the kustomization to build, in an archive.
type Request struct {
	Folder string
	Format archive.Format
	Limits archive.Limits
}

// BuildTask is Build in a child process: the body is the archive, and the output are the
// objects. Errors of the archive are those of archive.ReadTree.
var BuildTask = child.Task[Request, struct{}]{
	Name: "kustomization", CrashReason: v1alpha1.KustomizationInvalidReason,
	Do: func(in Request, packed io.Reader, w io.Writer) (none struct{}, err error) {
		in.Limits.Bytes = min(in.Limits.Bytes, maxTreeBytes)
		tree, err := archive.ReadTree(packed, in.Format, in.Limits, maxTreeBytes, newMemory)
		if err != nil {
			return none, err
		}
		built, err := Build(Files{Content: tree.Files, Links: tree.Links}, in.Folder, DefaultOutput)
		if err != nil {
			return none, err
		}
		_, err = w.Write(built)
		return none, err
	},
}

// memory takes the place of a scratch file: a child opens no files.
type memory struct{ bytes.Buffer }

func newMemory() (archive.Scratch, error) { return &memory{}, nil }

// ReadAt reads what was written.
func (m *memory) ReadAt(p []byte, offset int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, offset)
}

// Close does nothing.
func (m *memory) Close() error { return nil }
