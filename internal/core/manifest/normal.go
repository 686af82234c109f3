package manifest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

// What makes an object a member of an inventory belongs to the tool that applies,
// not to the one that publishes.
const (
	// partOfLabel is that of an ApplySet (KEP-3659).
	partOfLabel = "applyset.kubernetes.io/part-of"
	// sha256Annotation ends the annotations of what was applied.
	sha256Annotation = "addons.cluster.x-k8s.io/sha256"
)

// serverFields are the fields of metadata that only an API server writes, or that
// name objects of the cluster that an export comes from.
var serverFields = []string{
	"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "ownerReferences", "resourceVersion",
	"selfLink", "uid",
}

// normalize makes an object what is applied, and returns its name.
func normalize(tree map[string]any) (Ref, error) {
	clean(tree)
	if err := generateName(tree); err != nil {
		return Ref{}, err
	}
	ref, err := refOf(tree)
	if err != nil {
		return Ref{}, err
	}
	cleanStrategy(ref, tree)
	if err := mergeStringData(ref, tree); err != nil {
		return Ref{}, fmt.Errorf("%s: %w", ref, err)
	}
	return ref, nil
}

// clean removes what does not belong to the published state of an object.
func clean(tree map[string]any) {
	delete(tree, "status")
	metadata, _ := tree["metadata"].(map[string]any)
	for _, field := range serverFields {
		delete(metadata, field)
	}
	labels, _ := metadata["labels"].(map[string]any)
	delete(labels, partOfLabel)
	annotations, _ := metadata["annotations"].(map[string]any)
	maps.DeleteFunc(annotations, func(key string, _ any) bool { return strings.HasSuffix(key, sha256Annotation) })
}

const (
	// maxGenerated is how much of a generateName is kept, generatedDigits what comes
	// behind it: together they are a label value.
	maxGenerated    = 53
	generatedDigits = 10
)

// generateName gives an object with a generateName the name that this and a hash of
// its content make. With a server-side apply an API server generates none. So a Job
// of that kind runs once for each content.
func generateName(tree map[string]any) error {
	metadata, _ := tree["metadata"].(map[string]any)
	prefix, _ := metadata["generateName"].(string)
	if prefix == "" || metadata["name"] != nil {
		return nil
	}
	content, err := json.Marshal(tree)
	if err != nil {
		return fmt.Errorf("metadata.generateName: %w", err)
	}
	sum := sha256.Sum256(content)
	metadata["name"] = prefix[:min(len(prefix), maxGenerated)] + hex.EncodeToString(sum[:])[:generatedDigits]
	delete(metadata, "generateName")
	return nil
}

// mergeStringData puts the stringData of a Secret into its data, as an API server
// does with each write. Applied as it is, nobody would own the keys of data that it
// becomes, and one that leaves stringData would stay.
func mergeStringData(ref Ref, tree map[string]any) error {
	if ref.Group != "" || ref.Kind != "Secret" || tree["stringData"] == nil {
		return nil
	}
	texts, ok := tree["stringData"].(map[string]any)
	if !ok {
		return fmt.Errorf("stringData is %s and not a mapping", validation.TypeOf(tree["stringData"]))
	}
	content, ok := tree["data"].(map[string]any)
	if !ok {
		content = make(map[string]any, len(texts))
	}
	for _, key := range sortedKeys(texts) {
		text, ok := texts[key].(string)
		if !ok {
			return fmt.Errorf("stringData: the value of %s is %s and not text", quote(key), validation.TypeOf(texts[key]))
		}
		content[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	tree["data"] = content
	delete(tree, "stringData")
	return nil
}
