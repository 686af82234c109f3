package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// errTooDeep means that mappings and sequences are nested over the limit.
var errTooDeep = errors.New("too deep")

// isJSON reports whether text is a sequence of JSON values and nothing else.
func isJSON(text []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(text))
	for {
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}

// jsonReader reads JSON values token by token, so that a duplicated key
// is seen, and numbers keep the digits that they are written with.
type jsonReader struct {
	decoder *json.Decoder
	limits  Limits
	// left is how many nodes the value may still have.
	left int
}

func newJSONReader(text []byte, limits Limits) *jsonReader {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return &jsonReader{decoder: decoder, limits: limits}
}

// next returns the next value of the text, or io.EOF.
func (r *jsonReader) next() (any, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, err
	}
	r.left = r.limits.Nodes
	return r.value(token, 0)
}

// value returns the value that begins with the token.
func (r *jsonReader) value(token json.Token, depth int) (any, error) {
	if r.left--; r.left < 0 {
		return nil, errTooMany
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth >= r.limits.Nesting {
		return nil, errTooDeep
	}
	if delim == '{' {
		return r.object(depth + 1)
	}
	return r.array(depth + 1)
}

func (r *jsonReader) object(depth int) (any, error) {
	object := map[string]any{}
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return object, nil
		}
		if _, ok := object[key]; ok {
			return nil, fmt.Errorf("key %s is duplicated in an object", quote(key))
		}
		r.left--
		if token, err = r.decoder.Token(); err != nil {
			return nil, err
		}
		if object[key], err = r.value(token, depth); err != nil {
			return nil, err
		}
	}
}

func (r *jsonReader) array(depth int) (any, error) {
	array := []any{}
	for {
		token, err := r.decoder.Token()
		if err != nil {
			return nil, err
		}
		if token == json.Delim(']') {
			return array, nil
		}
		value, err := r.value(token, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
}
