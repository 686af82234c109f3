package archive

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameText bounds a name in a message, in bytes.
const maxNameText = 80

// cleanName returns the shortest path that is the same as name, or what is wrong
// with name. The path of the archive's own top is ".".
func cleanName(name string) (clean, problem string) {
	switch {
	case name == "":
		return "", "the name is empty"
	case !utf8.ValidString(name):
		return "", "the name is not UTF-8 text"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "", "a control character in the name"
	case strings.Contains(name, `\`):
		return "", "a backslash in the name"
	case strings.HasPrefix(name, "/"):
		return "", "the path is absolute"
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", `".." in the path`
	}
	return path.Clean(name), ""
}

// isAppleDouble reports whether name is that of a file in which macOS keeps
// attributes of another file.
func isAppleDouble(name string) bool {
	return strings.HasPrefix(path.Base(name), "._")
}
