//go:build !no_helm

package helm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxDuplicates is how many documents with duplicate keys are named.
const maxDuplicates = 20

// dropDuplicates has each key of the documents stand once, as Helm reads them: the last
// one counts. It returns warnings that name the templates and the keys.
func dropDuplicates(documents []document) []string {
	var warnings []string
	more := 0
	for i, d := range documents {
		keys := duplicates(d.body)
		once, err := yaml.YAMLToJSON([]byte(d.body))
		if len(keys) == 0 || err != nil {
			continue
		}
		if once, err = yaml.JSONToYAML(once); err != nil {
			continue
		}
		documents[i].body = string(once)
		if len(warnings) == maxDuplicates {
			more++
			continue
		}
		warnings = append(warnings, fmt.Sprintf("%s, document %d: %s",
			text.Line(d.path, maxText), d.number, standRepeated(keys)))
	}
	if more > 0 {
		warnings = append(warnings, fmt.Sprintf("%d more documents have keys that stand more than once", more))
	}
	return warnings
}

// standRepeated says that keys stand more than once.
func standRepeated(keys []string) string {
	return "keys stand more than once, the last one counts: " + text.Line(sortedList(keys), maxText)
}

// duplicates returns the paths of the keys that stand more than once in their mapping.
func duplicates(body string) []string {
	var value any
	if yamlv2.UnmarshalStrict([]byte(body), &value) == nil {
		return nil
	}
	var root goyaml.Node
	if goyaml.Unmarshal([]byte(body), &root) != nil || len(root.Content) == 0 {
		return nil
	}
	return duplicatesIn(root.Content[0], "")
}

// duplicatesIn returns the paths of duplicate keys below a node. A merge key may be
// overridden: that is what it is for.
func duplicatesIn(node *goyaml.Node, path string) []string {
	var found []string
	if node.Kind == goyaml.SequenceNode {
		for i, item := range node.Content {
			found = append(found, duplicatesIn(item, path+"["+strconv.Itoa(i)+"]")...)
		}
	}
	if node.Kind != goyaml.MappingNode {
		return found
	}
	seen := map[[2]string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		name := strings.TrimPrefix(path+"."+key.Value, ".")
		identity := [2]string{key.ShortTag(), key.Value}
		if seen[identity] && key.Kind == goyaml.ScalarNode && key.ShortTag() != "!!merge" {
			found = append(found, name)
		}
		seen[identity] = true
		found = append(found, duplicatesIn(node.Content[i+1], name)...)
	}
	return slices.Compact(found)
}
