// Package text gives texts from outside a form that fits a message: on one line,
// of bounded length, and the same the next time. What is left out is marked.
//
//	the answer of a server, a name in a file -> Line, Quote
//	many names, many errors            -> List
package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mark replaces what was cut.
const mark = "…"

// Line returns s on one line of at most size bytes of UTF-8. White space and
// control characters become single spaces, and bytes that are not UTF-8 become
// the replacement character. A longer text is cut between two characters and
// ends with "…". A size below that of the mark leaves only the mark.
func Line(s string, size int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), isBreak), " ")
	if len(s) <= size {
		return s
	}
	end := max(0, size-len(mark))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " ") + mark
}

func isBreak(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// Quote returns Line of s in double quotes, escaped as in Go. The size bounds
// what is between the quotes before it is escaped.
func Quote(s string, size int) string { return strconv.Quote(Line(s, size)) }

// List joins the first texts, at most the given number of them, with separator,
// and counts the others: "a, b, and 3 more".
func List(texts []string, most int, separator string) string {
	more := len(texts) - most
	if more <= 0 {
		return strings.Join(texts, separator)
	}
	shown := append(texts[:most:most], fmt.Sprintf("and %d more", more))
	return strings.Join(shown, separator)
}
