//go:build !no_kustomize

package kustomize

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// maxErrorText bounds what of an error of the library is in a message, in bytes.
	maxErrorText = 512
	// maxNameText bounds a path in a message, in bytes.
	maxNameText = 100
	// maxNamed is how many folders a message names.
	maxNamed = 5
)

// BuiltIn is whether kustomizations can be built: not with the build tag no_kustomize.
const BuiltIn = true

// Build returns the objects of the kustomization in a folder of the archive, "." for
// its root, as YAML of at most maxBytes. An error that is not about that is a Stall with the
// reason KustomizationInvalid, and names the folder or the kustomization.
//
// Nothing bounds the memory and the time that it needs, and an alias in itself makes the
// stack overflow. The library has its schema in a global variable, and leaves that of one
// kustomization there for the next. So those of strangers are built with BuildTask.
func Build(files Files, folder string, maxBytes int64) ([]byte, error) {
	folder = path.Clean(folder)
	if !files.hasKustomization(folder) {
		return nil, files.missing(folder)
	}
	box, err := newSandbox(files)
	if err != nil {
		return nil, err
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(box, rooted(folder))
	if box.refusal != nil {
		return nil, box.refusal // the library takes it for a file that is not there
	}
	if err != nil {
		return nil, invalid(folder, "%s", text.Line(err.Error(), maxErrorText))
	}
	return written(built, folder, maxBytes)
}

// written returns the objects as a stream of YAML documents.
func written(built resmap.ResMap, folder string, maxBytes int64) ([]byte, error) {
	var out []byte
	for _, object := range built.Resources() {
		document, err := object.AsYAML()
		if err != nil {
			return nil, invalid(folder, "%s", text.Line(err.Error(), maxErrorText))
		}
		if int64(len(out)+len(document)) > maxBytes {
			return nil, exceeded(folder, "its objects are more than the limit of %d bytes", maxBytes)
		}
		out = append(append(out, "---\n"...), document...)
	}
	if len(out) == 0 {
		return nil, invalid(folder, "it has no objects")
	}
	return out, nil
}

func (f Files) hasKustomization(folder string) bool {
	return slices.ContainsFunc(fileNames, func(name string) bool {
		_, ok := f.Content[path.Join(folder, name)]
		return ok
	})
}

// missing returns the error of a folder without a kustomization. It names those that
// have one.
func (f Files) missing(folder string) error {
	for _, name := range fileNames {
		if file := path.Join(folder, name); f.Links[file] {
			return invalid(folder, "%s is a link, and links of an archive are not followed: "+
				"put the file in its place", text.Quote(file, maxNameText))
		}
	}
	var have []string
	for file := range f.Content {
		if slices.Contains(fileNames, path.Base(file)) {
			have = append(have, text.Quote(path.Dir(file), maxNameText))
		}
	}
	if len(have) == 0 {
		return invalid(folder, "no kustomization.yaml there, nor anywhere in the archive")
	}
	slices.Sort(have)
	return invalid(folder, "no kustomization.yaml there, but in %s: name one of them as kustomize.path",
		text.List(slices.Compact(have), maxNamed, ", "))
}

// rooted returns the path of the archive as the library sees it.
func rooted(name string) string { return path.Join(filesys.Separator, name) }

func invalid(folder, format string, args ...any) error {
	return fault.Stall(v1alpha1.KustomizationInvalidReason, named(folder, format, args...))
}

func exceeded(folder, format string, args ...any) error {
	return fault.Stall(v1alpha1.LimitExceededReason, named(folder, format, args...))
}

// named returns an error about the kustomization of a folder, or one in its file.
func named(place, format string, args ...any) error {
	if place == "." {
		place = "at the root of the archive"
	} else {
		place = text.Quote(place, maxNameText)
	}
	return errors.New("kustomization " + place + ": " + fmt.Sprintf(format, args...))
}
