//go:build !no_kustomize

package kustomize

import (
	"fmt"
	"os"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// tree is the files of an archive as a file system that is only read. The one that the
// library has in memory takes few names: no spaces and no plus signs, which are in many
// archives, in files that no kustomization names.
type tree struct {
	filesys.FileSystem // an empty one, for what the library does not do here

	files map[string][]byte
	// folders are those that the files are in, and the root.
	folders map[string]bool
}

// newTree returns the file system of files by their clean paths.
func newTree(files map[string][]byte) (tree, error) {
	t := tree{
		FileSystem: filesys.MakeEmptyDirInMemory(),
		files:      make(map[string][]byte, len(files)), folders: map[string]bool{filesys.Separator: true},
	}
	for name, content := range files {
		name = rooted(name)
		t.files[name] = content
		for folder := path.Dir(name); !t.folders[folder]; folder = path.Dir(folder) {
			t.folders[folder] = true
		}
	}
	for name := range files {
		if t.folders[rooted(name)] {
			return tree{}, invalid(".", "%s is a file and a folder", text.Quote(name, maxNameText))
		}
	}
	return t, nil
}

// IsDir reports whether a path is that of a folder.
func (t tree) IsDir(name string) bool { return t.folders[rooted(name)] }

// Exists reports whether a path is that of a file or a folder.
func (t tree) Exists(name string) bool {
	_, isFile := t.files[rooted(name)]
	return isFile || t.IsDir(name)
}

// ReadFile returns the content of a file.
func (t tree) ReadFile(name string) ([]byte, error) {
	content, ok := t.files[rooted(name)]
	if !ok {
		return nil, fmt.Errorf("'%s': %w", name, os.ErrNotExist)
	}
	return slices.Clone(content), nil // as from a disk: who reads it may change it
}

// CleanedAbs returns the folder and the file that a path stands for.
func (t tree) CleanedAbs(name string) (filesys.ConfirmedDir, string, error) {
	name = rooted(name)
	switch {
	case t.IsDir(name):
		return filesys.ConfirmedDir(name), "", nil
	case t.Exists(name):
		return filesys.ConfirmedDir(path.Dir(name)), path.Base(name), nil
	}
	return "", "", fmt.Errorf("'%s' doesn't exist", name)
}
