package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// errTooLarge means that an object as JSON is over the limit.
var errTooLarge = errors.New("too large")

// encoder writes values as compact JSON with sorted keys. Its buffer and its
// list of keys are used again for the next object.
type encoder struct {
	limit int64
	json  []byte
	keys  []string
}

// object writes a whole object in the form that Objects describes. It returns
// where its labels and its annotations begin.
func (e *encoder) object(tree map[string]any) (offsets, error) {
	metadata, _ := tree["metadata"].(map[string]any)
	labels, _ := metadata["labels"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	e.json = append(e.json[:0], `{"apiVersion":`...)
	if err := e.value(tree["apiVersion"]); err != nil {
		return offsets{}, err
	}
	e.json = append(e.json, `,"kind":`...)
	if err := e.value(tree["kind"]); err != nil {
		return offsets{}, err
	}
	var at offsets
	e.json = append(e.json, `,"metadata":{"labels":`...)
	at.labels = len(e.json) + 1
	if err := e.value(labels); err != nil {
		return offsets{}, err
	}
	e.json = append(e.json, `,"annotations":`...)
	at.annotations = len(e.json) + 1
	if err := e.value(annotations); err != nil {
		return offsets{}, err
	}
	if err := e.members(metadata, true, "labels", "annotations"); err != nil {
		return offsets{}, err
	}
	e.json = append(e.json, '}')
	if err := e.members(tree, true, "apiVersion", "kind", "metadata"); err != nil {
		return offsets{}, err
	}
	e.json = append(e.json, '}')
	return at, e.check()
}

// offsets are where mappings of an object begin, behind their braces.
type offsets struct{ labels, annotations int }

// members writes the members of an object in the order of their keys, without
// the given ones.
func (e *encoder) members(object map[string]any, comma bool, without ...string) error {
	from := len(e.keys)
	for key := range object {
		if !slices.Contains(without, key) {
			e.keys = append(e.keys, key)
		}
	}
	to := len(e.keys)
	slices.Sort(e.keys[from:to])
	for i := from; i < to; i++ {
		if comma || i > from {
			e.json = append(e.json, ',')
		}
		key := e.keys[i]
		e.json = appendString(e.json, key)
		e.json = append(e.json, ':')
		if err := e.value(object[key]); err != nil {
			return err
		}
	}
	e.keys = e.keys[:from]
	return nil
}

// value writes a value. It stops soon after the limit, so that aliases of a
// large value cannot make it write without end.
func (e *encoder) value(value any) error {
	if err := e.check(); err != nil {
		return err
	}
	switch v := value.(type) {
	case nil:
		e.json = append(e.json, "null"...)
	case bool:
		e.json = strconv.AppendBool(e.json, v)
	case string:
		e.json = appendString(e.json, v)
	case map[string]any:
		e.json = append(e.json, '{')
		if err := e.members(v, false); err != nil {
			return err
		}
		e.json = append(e.json, '}')
	case []any:
		return e.array(v)
	default:
		return e.number(v)
	}
	return nil
}

func (e *encoder) array(array []any) error {
	e.json = append(e.json, '[')
	for i, item := range array {
		if i > 0 {
			e.json = append(e.json, ',')
		}
		if err := e.value(item); err != nil {
			return err
		}
	}
	e.json = append(e.json, ']')
	return nil
}

func (e *encoder) number(value any) error {
	switch v := value.(type) {
	case int:
		e.json = strconv.AppendInt(e.json, int64(v), 10)
	case int64:
		e.json = strconv.AppendInt(e.json, v, 10)
	case uint64:
		e.json = strconv.AppendUint(e.json, v, 10)
	case json.Number:
		e.json = append(e.json, v...)
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return fmt.Errorf("the number %s, which JSON does not have", yamlFloat(v))
		}
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("number: %w", err)
		}
		e.json = append(e.json, text...)
	default:
		return fmt.Errorf("a value of the type %T, which JSON does not have", v)
	}
	return nil
}

// check returns errTooLarge when more was written than the limit allows.
func (e *encoder) check() error {
	if int64(len(e.json)) > e.limit {
		e.keys = e.keys[:0]
		return errTooLarge
	}
	return nil
}

// appendString appends a JSON string. Unlike encoding/json it does not escape
// for HTML. The string must be UTF-8.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}
