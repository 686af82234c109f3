//go:build !no_kustomize

package kustomize

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// sandbox is the file system of one build: the archive, and nothing else. It checks
// each file before the library sees it.
type sandbox struct {
	tree

	links map[string]bool
	// refusal is the first reason not to go on. After it nothing is read.
	refusal error
}

func newSandbox(files Files) (*sandbox, error) {
	all, err := newTree(files.Content)
	if err != nil {
		return nil, err
	}
	return &sandbox{tree: all, links: files.Links}, nil
}

// ReadFile returns a file of the archive, if it may be used.
func (s *sandbox) ReadFile(name string) ([]byte, error) {
	if s.refusal != nil {
		return nil, s.refusal
	}
	content, err := s.tree.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s.refusal = s.check(strings.TrimPrefix(name, filesys.Separator), content)
	return content, s.refusal
}

// check returns why a file may not be used.
func (s *sandbox) check(file string, content []byte) error {
	if !slices.Contains(fileNames, path.Base(file)) {
		return nil
	}
	var k types.Kustomization
	if k.Unmarshal(content) != nil {
		return nil // the library reports it
	}
	if name := forbiddenField(&k); name != "" {
		return invalid(file, "%s", name)
	}
	for _, used := range pathsOf(&k) {
		if isRemote(used) {
			return invalid(file, "%s is not in the archive, and nothing is fetched: put a copy of it into "+
				"the archive (\"kustomize localize\" does), and name that", text.Quote(withoutUser(used), maxNameText))
		}
		if s.links[path.Join(path.Dir(file), used)] {
			return invalid(file, "%s is a link, and links of an archive are not followed: put the file in its place",
				text.Quote(used, maxNameText))
		}
	}
	return nil
}
