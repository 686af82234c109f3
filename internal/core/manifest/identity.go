package manifest

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/validation"
)

// maxName is the number of bytes that an API server accepts in a name, in a
// namespace and in each part of a group, version and kind.
const maxName = 253

// plainCharacters are the characters of groups, versions, kinds, resources and namespaces.
const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."

// refOf returns the Ref of an object, after a check of the fields that every
// object has. What goes into the path of a request is checked for characters
// that could lead the request elsewhere.
func refOf(tree map[string]any) (Ref, error) {
	group, version, err := groupVersion(tree)
	if err != nil {
		return Ref{}, err
	}
	kind, err := stringField(tree, "kind", "kind")
	if err != nil {
		return Ref{}, err
	}
	if kind == "" {
		return Ref{}, errors.New("kind is missing")
	}
	ref := Ref{Group: group, Version: version, Kind: kind}
	metadata, ok := tree["metadata"].(map[string]any)
	if !ok && tree["metadata"] != nil {
		return Ref{}, fmt.Errorf("%s: metadata is %s and not a mapping", kind, validation.TypeOf(tree["metadata"]))
	}
	if ref.Name, err = objectName(metadata); err != nil {
		return Ref{}, fmt.Errorf("%s: %w", kind, err)
	}
	if ref.Namespace, err = stringField(metadata, "namespace", "metadata.namespace"); err != nil {
		return Ref{}, fmt.Errorf("%s: %w", ref, err)
	}
	for _, field := range []string{"labels", "annotations"} {
		if err := checkTexts(metadata, field); err != nil {
			return Ref{}, fmt.Errorf("%s: %w", ref, err)
		}
	}
	return ref, checkPath(ref)
}

func groupVersion(tree map[string]any) (group, version string, err error) {
	apiVersion, err := stringField(tree, "apiVersion", "apiVersion")
	if err != nil {
		return "", "", err
	}
	if apiVersion == "" {
		return "", "", errors.New("apiVersion is missing")
	}
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		return "", group, nil
	}
	if group == "" || version == "" {
		return "", "", fmt.Errorf("apiVersion %s is not a group and a version", quote(apiVersion))
	}
	return group, version, nil
}

func objectName(metadata map[string]any) (string, error) {
	name, err := stringField(metadata, "name", "metadata.name")
	if err != nil {
		return "", err
	}
	if name != "" {
		return name, nil
	}
	return "", errors.New("metadata.name is missing")
}

// stringField returns a field that must be text. It is empty when the field is absent.
func stringField(object map[string]any, field, path string) (string, error) {
	switch v := object[field].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	default:
		return "", fmt.Errorf("%s is %s and not text", path, validation.TypeOf(v))
	}
}

// checkTexts refuses labels or annotations that the API server would refuse.
func checkTexts(metadata map[string]any, field string) error {
	if metadata[field] == nil {
		return nil
	}
	values, ok := metadata[field].(map[string]any)
	if !ok {
		return fmt.Errorf("metadata.%s is %s and not a mapping", field, validation.TypeOf(metadata[field]))
	}
	for _, key := range sortedKeys(values) {
		switch v := values[key].(type) {
		case string, nil:
		default:
			return fmt.Errorf("metadata.%s: the value of %s is %s and not text", field, quote(key), validation.TypeOf(v))
		}
	}
	return nil
}

// checkPath refuses a Ref whose parts must not be part of a request path.
func checkPath(ref Ref) error {
	for _, part := range []struct{ name, value string }{
		{"the group", ref.Group},
		{"the version", ref.Version},
		{"kind", ref.Kind},
		{"metadata.namespace", ref.Namespace},
	} {
		if !isPlain(part.value) {
			return fmt.Errorf("%s %s: only letters, digits, - and . are allowed", part.name, quote(part.value))
		}
	}
	if !isSegment(ref.Name) {
		return fmt.Errorf("metadata.name %s cannot be part of a request path", quote(ref.Name))
	}
	return nil
}

// isPlain reports whether s holds letters, digits, "-" and "." only, and has
// the length of a name at most. It may be empty.
func isPlain(s string) bool {
	return strings.Trim(s, plainCharacters) == "" && len(s) <= maxName && s != "." && s != ".."
}

// isSegment reports whether s can be a segment of a path, as the API server
// wants it of every name.
func isSegment(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= maxName &&
		!strings.ContainsAny(s, "/%") && !strings.ContainsFunc(s, unicode.IsControl)
}
