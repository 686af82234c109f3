package helm

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxText bounds what of a text from a chart goes into a message.
const maxText = 256

// cut returns text on one line, and of bounded length.
func cut(text string) string {
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "?")
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "..."
}

// plain returns err, which does not know the values, with a text on one line and
// of bounded length.
func plain(err error) error { return errors.New(cut(err.Error())) }

// templateFailed returns an error about a template. Of what the engine says it
// repeats what cannot hold a value: the place, names of functions, fields and
// types.
func templateFailed(err error, called *failure, templates map[string]string) error {
	text := err.Error()
	if place, ok := strings.CutPrefix(text, "parse error at ("); ok {
		// Templates are parsed before they see the values.
		if _, _, ok := strings.Cut(place, ")"); ok {
			return invalid("template %s", cut(strings.Replace(place, "):", ":", 1)))
		}
	}
	return invalid("%s: %s", templatePlace(text, templates), cause(text, called, templates))
}

var placePattern = regexp.MustCompile(`([^\s:()<>"]+):(\d{1,9})(?::\d+)?[:)\s]`)

// templatePlace returns the template and the line where it failed, and the first
// place if that lies in another one.
func templatePlace(text string, templates map[string]string) string {
	var places []string
	for _, found := range placePattern.FindAllStringSubmatch(text+"\n", -1) {
		if _, known := templates[found[1]]; known {
			places = append(places, found[1]+":"+found[2])
		}
	}
	switch {
	case len(places) == 0:
		return "a template"
	case places[0] == places[len(places)-1]:
		return "template " + cut(places[0])
	}
	return "template " + cut(places[len(places)-1]+", which "+places[0]+" uses")
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

// cause says why a template failed.
func cause(text string, called *failure, templates map[string]string) string {
	switch {
	case called != nil && called.err != nil:
		return fmt.Sprintf("the function %s %s", called.function, called.err)
	case called != nil && isLiteral(*called, templates):
		return cut(called.message)
	case called != nil:
		return called.function + " gives a message that is put together: it may hold a value and is not shown"
	}
	for _, c := range causes {
		if found := c.pattern.FindStringSubmatch(text); len(found) > 1 {
			return fmt.Sprintf(c.text, found[1])
		}
		if c.pattern.MatchString(text) {
			return c.text
		}
	}
	return failedFunction(text) + " fails with an error that may hold a value and is not shown"
}

// failedFunction names the outermost function that failed and does not only run
// another template.
func failedFunction(text string) string {
	function := "a function"
	for _, found := range callPattern.FindAllStringSubmatch(text, -1) {
		if function = "the function " + found[1]; found[1] != "include" && found[1] != "tpl" {
			break
		}
	}
	return function
}

// callPattern finds the functions that led to an error, the outermost first.
var callPattern = regexp.MustCompile(`error calling (\w{1,63}):`)

// isLiteral says whether the message of fail or required stands in a template as
// it is. What is put together from other texts may hold a value.
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
