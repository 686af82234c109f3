package archive

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameText is how many characters of a name are repeated in a message.
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

// isAppleDouble says whether name is that of a file in which macOS keeps
// attributes of another file.
func isAppleDouble(name string) bool {
	return strings.HasPrefix(path.Base(name), "._")
}

// quote returns name for a message, with bounded length.
func quote(name string) string {
	if utf8.RuneCountInString(name) <= maxNameText {
		return fmt.Sprintf("%q", name)
	}
	return fmt.Sprintf("%.*q...", maxNameText, name)
}
