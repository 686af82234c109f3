package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// yamlLine finds a line number in a message of the YAML library.
var yamlLine = regexp.MustCompile(`\bline (\d+)`)

// decodeYAML returns the value of a YAML document in the types of encoding/json
// beside int, int64, uint64 and float64 for numbers. It reads YAML as kubectl
// and sigs.k8s.io/yaml do, that is YAML 1.1, so 0400 is 256. Unlike them it
// refuses a duplicated key of a mapping, except in documents with merge
// keys, where overriding a key is what they are for.
func decodeYAML(text []byte, line, nesting int) (any, error) {
	unmarshal := yaml.UnmarshalStrict
	if bytes.Contains(text, []byte("<<")) {
		unmarshal = yaml.Unmarshal
	}
	var value any
	if err := unmarshal(text, &value); err != nil {
		return nil, yamlError(err, line)
	}
	return plain(value, 0, nesting)
}

// yamlError returns an error of the YAML library on one line, with the lines
// counted in the source and not in the document.
func yamlError(err error, first int) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if typed, ok := errors.AsType[*yaml.TypeError](err); ok && len(typed.Errors) > 0 {
		message = typed.Errors[0]
	}
	message = yamlLine.ReplaceAllStringFunc(message, func(match string) string {
		n, err := strconv.Atoi(strings.TrimPrefix(match, "line "))
		if err != nil {
			return match
		}
		return fmt.Sprintf("line %d", n+first-1)
	})
	return fmt.Errorf("not YAML: %s", text.Line(message, maxQuoted))
}

// plain returns a value of the YAML library with strings as keys of mappings.
func plain(value any, depth, nesting int) (any, error) {
	switch v := value.(type) {
	case map[any]any:
		if depth >= nesting {
			return nil, errTooDeep
		}
		return plainMap(v, depth+1, nesting)
	case []any:
		if depth >= nesting {
			return nil, errTooDeep
		}
		for i := range v {
			item, err := plain(v[i], depth+1, nesting)
			if err != nil {
				return nil, err
			}
			v[i] = item
		}
		return v, nil
	case string:
		// A !!binary value is the one way to such a string.
		if !utf8.ValidString(v) {
			return nil, errors.New("a string that is not UTF-8 text")
		}
		return v, nil
	}
	return value, nil
}

func plainMap(object map[any]any, depth, nesting int) (any, error) {
	result := make(map[string]any, len(object))
	var failed error
	for k, v := range object {
		if err := addPlain(result, k, v, depth, nesting); err != nil {
			failed = lesser(failed, err)
		}
	}
	return result, failed
}

func addPlain(result map[string]any, k, v any, depth, nesting int) error {
	key, err := plainKey(k)
	if err != nil {
		return err
	}
	if _, ok := result[key]; ok {
		return fmt.Errorf("key %s is duplicated in a mapping", quote(key))
	}
	result[key], err = plain(v, depth, nesting)
	return err
}

// lesser returns the error whose text comes first, so that the order in which
// Go walks a map does not show.
func lesser(a, b error) error {
	if a == nil || b.Error() < a.Error() {
		return b
	}
	return a
}

// plainKey returns a key of a mapping as sigs.k8s.io/yaml writes it.
func plainKey(key any) (string, error) {
	switch k := key.(type) {
	case string:
		if !utf8.ValidString(k) {
			return "", errors.New("a key that is not UTF-8 text")
		}
		return k, nil
	case int:
		return strconv.Itoa(k), nil
	case int64:
		return strconv.FormatInt(k, 10), nil
	case bool:
		return strconv.FormatBool(k), nil
	case float64:
		return yamlFloat(k), nil
	}
	return "", errors.New("a key of a mapping that is neither text nor a usual number")
}

func yamlFloat(f float64) string {
	switch text := strconv.FormatFloat(f, 'g', -1, 32); text {
	case "+Inf":
		return ".inf"
	case "-Inf":
		return "-.inf"
	case "NaN":
		return ".nan"
	default:
		return text
	}
}
