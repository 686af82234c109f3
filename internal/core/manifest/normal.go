package manifest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

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
