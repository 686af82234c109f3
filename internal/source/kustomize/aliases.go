package kustomize

import (
	"bytes"
	"errors"
	"fmt"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

const (
	// maxExpanded bounds the nodes of a document whose aliases are replaced by what
	// they stand for.
	maxExpanded = 200_000
	// maxNested bounds how deep documents in strings of documents are looked at.
	maxNested = 4
)

// errCyclic is the error of an alias in what it stands for. The library would follow it
// until its stack is full, which nothing recovers from.
var errCyclic = errors.New("an alias stands in what it stands for")

// checkAliases returns an error if the aliases of a YAML stream do not end, or expand
// to too much, in it or in a document in one of its strings, such as a patch. What is
// not YAML is left to the library.
func checkAliases(content []byte) error { return checkNested(content, maxNested) }

func checkNested(content []byte, depth int) error {
	if depth == 0 || bytes.IndexByte(content, '*') < 0 || bytes.IndexByte(content, '&') < 0 {
		return nil
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		if decoder.Decode(&document) != nil {
			return nil
		}
		e := expansion{depth: depth, sizes: map[*yaml.Node]int{}}
		if _, err := e.size(&document); err != nil {
			return err
		}
	}
}

// expansion counts the nodes of a document with its aliases replaced.
type expansion struct {
	depth   int
	aliases int
	// sizes of the nodes so far; 0 for one that is being counted.
	sizes map[*yaml.Node]int
}

func (e *expansion) size(node *yaml.Node) (int, error) {
	if size, ok := e.sizes[node]; ok {
		if size == 0 {
			return 0, errCyclic
		}
		return size, nil
	}
	e.sizes[node] = 0
	children := node.Content
	if node.Kind == yaml.AliasNode {
		e.aliases++
		children = []*yaml.Node{node.Alias}
	}
	total := 1
	for _, child := range children {
		size, err := e.size(child)
		if err != nil {
			return 0, err
		}
		if total += size; total > maxExpanded && e.aliases > 0 {
			return 0, fmt.Errorf("its aliases expand to more than the limit of %d nodes", maxExpanded)
		}
	}
	e.sizes[node] = total
	if node.Kind == yaml.ScalarNode {
		return total, checkNested([]byte(node.Value), e.depth-1)
	}
	return total, nil
}
