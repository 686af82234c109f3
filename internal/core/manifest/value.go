package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Value returns one value that is written in YAML or JSON as compact JSON with sorted
// keys. It is bounded by the limits as a document and an object are, and has no aliases.
func Value(text []byte, limits Limits) (json.RawMessage, error) {
	nodes, aliased := measure(text, limits.Nodes)
	if nodes > limits.Nodes || aliased {
		return nil, fmt.Errorf("%w: more than %d, or aliases", errTooMany, limits.Nodes)
	}
	value, err := decodeYAML(text, 1, limits.Nesting)
	if err != nil {
		return nil, err
	}
	encoder := encoder{limit: limits.Object}
	if err := encoder.value(value); err != nil {
		return nil, err
	}
	if err := encoder.check(); err != nil {
		return nil, err
	}
	return bytes.Clone(encoder.json), nil
}
