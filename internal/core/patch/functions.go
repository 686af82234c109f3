package patch

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
)

// fromSprig are the functions of github.com/Masterminds/sprig that templates may call:
// what they take bounds what they make, and nothing but that decides it. So there are
// none for the environment, the network, the time, random values, keys and files.
var fromSprig = []string{
	"add", "add1", "append", "atoi", "b64dec", "b64enc", "cat", "ceil", "coalesce", "concat", "contains",
	"default", "dict", "dig", "div", "empty", "first", "float64", "floor", "fromJson", "get", "has", "hasKey", "hasPrefix",
	"hasSuffix", "initial", "int", "int64", "kindIs", "kindOf", "last", "list", "lower", "max", "min", "mod", "mul",
	"nospace", "omit", "pick", "prepend", "quote", "rest", "reverse", "round", "semverCompare", "sha256sum", "slice",
	"sortAlpha", "split", "splitList", "splitn", "squote", "sub", "substr", "ternary", "title", "toDecimal", "toJson",
	"toString", "toStrings", "trim", "trimAll", "trimPrefix", "trimSuffix", "trunc", "upper",
}

// functions returns all functions of templates, beside those of text/template that make
// nothing. Those that would make much of little are bounded.
func functions() map[string]any {
	known := sprig.HermeticTxtFuncMap()
	all := map[string]any{
		"fail": fail, "indent": indent, "nindent": nindent, "join": join, "repeat": repeat, "replace": replace,
		"html": template.HTMLEscaper, "js": template.JSEscaper, "urlquery": template.URLQueryEscaper,
		"print": fmt.Sprint, "println": fmt.Sprintln, "printf": printf,
	}
	for _, name := range fromSprig {
		all[name] = known[name]
	}
	return all
}

func fail(message string) (string, error) { return "", errors.New(message) }

// maxIndent bounds an indentation and a separator.
const maxIndent = 64

func indent(spaces int, text string) (string, error) {
	if spaces < 0 || spaces > maxIndent {
		return "", errTooLarge
	}
	pad := strings.Repeat(" ", spaces)
	return pad + strings.ReplaceAll(text, "\n", "\n"+pad), nil
}

func nindent(spaces int, text string) (string, error) {
	indented, err := indent(spaces, text)
	return "\n" + indented, err
}

// join is that of sprig, with a separator of bounded length.
func join(separator string, items any) (string, error) {
	if len(separator) > maxIndent {
		return "", errTooLarge
	}
	joined, _ := sprig.TxtFuncMap()["join"].(func(string, any) string)
	return joined(separator, items), nil
}

func repeat(count int, text string) (string, error) {
	if count < 0 || count > maxMade || count*len(text) > maxMade {
		return "", errTooLarge
	}
	return strings.Repeat(text, count), nil
}

func replace(from, to, text string) (string, error) {
	if strings.Count(text, from)*len(to) > maxMade {
		return "", errTooLarge
	}
	return strings.ReplaceAll(text, from, to), nil
}

// wide is a verb with a width or a precision of three digits, or from an argument.
var wide = regexp.MustCompile(`%[^a-zA-Z%]*(\*|[0-9]{3,})`)

func printf(format string, args ...any) (string, error) {
	if wide.MatchString(format) {
		return "", errTooLarge
	}
	return fmt.Sprintf(format, args...), nil
}
