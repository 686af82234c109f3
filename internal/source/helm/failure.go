//go:build !no_helm

package helm

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// templateFailed returns an error about a template. Of the engine's message it
// repeats only what cannot hold a value: the place, and the names of functions,
// fields and types.
func templateFailed(err error, called *failure, templates map[string]string) error {
	message := err.Error()
	if place, ok := strings.CutPrefix(message, "parse error at ("); ok {
		// Templates are parsed before they see the values.
		if _, _, ok := strings.Cut(place, ")"); ok {
			return invalid("template %s", text.Line(strings.Replace(place, "):", ":", 1), maxText))
		}
	}
	return invalid("%s: %s", templatePlace(message, templates), cause(message, called, templates))
}

var placePattern = regexp.MustCompile(`([^\s:()<>"]+):(\d{1,9})(?::\d+)?[:)\s]`)

// templatePlace returns the template and the line where it failed, and the first
// place if that lies in another one.
func templatePlace(message string, templates map[string]string) string {
	var places []string
	for _, found := range placePattern.FindAllStringSubmatch(message+"\n", -1) {
		if _, known := templates[found[1]]; known {
			places = append(places, found[1]+":"+found[2])
		}
	}
	switch {
	case len(places) == 0:
		return "a template"
	case places[0] == places[len(places)-1]:
		return "template " + text.Line(places[0], maxText)
	}
	return "template " + text.Line(places[len(places)-1]+", which "+places[0]+" uses", maxText)
}

// causes are the errors of text/template that tell more than a place. A word in
// them is a name of the template's, and a type has no value.
var causes = []struct {
	pattern *regexp.Regexp
	text    string
}{
	{regexp.MustCompile(`nil pointer evaluating \S*(?: \{\})?\.(\w{1,63})`), "it reads %s of what is not set"},
	{regexp.MustCompile(`can't evaluate field (\w{1,63}) in type`), "it reads %s of what has no fields"},
	{regexp.MustCompile(`wrong type for value; expected ([\w\[\]{}.*]{1,40})`),
		"a value is of the wrong type: %s is expected"},
	{regexp.MustCompile(`range can't iterate over`), "it iterates over what is no list and no mapping"},
	{regexp.MustCompile(`template "[\w./-]{1,255}" not defined|no template "[\w./-]{1,255}" associated`),
		"it uses a template that is not defined"},
	{regexp.MustCompile(`nested reference name`), "it includes itself without end"},
	{regexp.MustCompile(`rendering template failed`), "it makes helm's library panic"},
}

// cause returns why a template failed.
func cause(message string, called *failure, templates map[string]string) string {
	switch {
	case called != nil && called.err != nil:
		return fmt.Sprintf("the function %s %s", called.function, called.err)
	case called != nil && isLiteral(*called, templates):
		return text.Line(called.message, maxText)
	case called != nil:
		return called.function + " gives a message that is put together: it may hold a value and is not shown"
	}
	for _, c := range causes {
		if found := c.pattern.FindStringSubmatch(message); len(found) > 1 {
			return fmt.Sprintf(c.text, found[1])
		}
		if c.pattern.MatchString(message) {
			return c.text
		}
	}
	return failedFunction(message) + " fails with an error that may hold a value and is not shown"
}

// failedFunction names the outermost function that failed and does not only run
// another template.
func failedFunction(message string) string {
	function := "a function"
	for _, found := range callPattern.FindAllStringSubmatch(message, -1) {
		if function = "the function " + found[1]; found[1] != "include" && found[1] != "tpl" {
			break
		}
	}
	return function
}

// callPattern finds the functions that led to an error, the outermost first.
var callPattern = regexp.MustCompile(`error calling (\w{1,63}):`)

// isLiteral reports whether the message of fail or required is written in a
// template as it is. What is put together from other texts may hold a value.
func isLiteral(called failure, templates map[string]string) bool {
	for _, quoted := range []string{strconv.Quote(called.message), "`" + called.message + "`"} {
		for _, template := range templates {
			if strings.Contains(template, called.function+" "+quoted) ||
				strings.Contains(template, quoted+" | "+called.function) {
				return true
			}
		}
	}
	return false
}
