package manifest

import "bytes"

// class is what a byte may mean to a nodeScanner.
type class byte

const (
	// blank is a space or a tab.
	blank class = 1 << iota
	// lineBreak begins a line break, or is the first byte of another letter.
	lineBreak
	// colon ends a scalar without quotes if white space is behind it.
	colon
	// flowIndicator ends a scalar without quotes in a flow collection.
	flowIndicator
	// comment begins one behind white space.
	comment
)

// classes are the classes of bytes that are not simply text.
var classes = [256]class{
	' ': blank, '\t': blank, 0: blank, '\n': lineBreak, '\r': lineBreak, 0xc2: lineBreak, 0xe2: lineBreak, ':': colon, '#': comment,
	',': flowIndicator, '?': flowIndicator, '[': flowIndicator, ']': flowIndicator, '{': flowIndicator, '}': flowIndicator,
}

// longBreaks are the line breaks of more than one byte.
var longBreaks = [][]byte{[]byte("\u0085"), []byte("\u2028"), []byte("\u2029")}

// hasOddBreaks reports whether a text has line breaks of other kinds than \n.
func hasOddBreaks(text []byte) bool {
	for _, long := range longBreaks {
		if bytes.Contains(text, long) {
			return true
		}
	}
	return bytes.IndexByte(text, '\r') >= 0
}

// breakAt returns the length of the line break at i, 0 if there is none.
func (s *nodeScanner) breakAt(i int) int {
	if classes[s.text[i]] != lineBreak {
		return 0
	}
	return breakLength(s.text[i:])
}

// breakLength returns the length of the line break that a text begins with, 0 if it
// begins with another letter.
func breakLength(text []byte) int {
	if text[0] < 0x80 {
		return 1
	}
	for _, long := range longBreaks {
		if bytes.HasPrefix(text, long) {
			return len(long)
		}
	}
	return 0
}

// blankAt reports whether at i is white space or the end.
func (s *nodeScanner) blankAt(i int) bool {
	return i >= len(s.text) || classes[s.text[i]] == blank || s.breakAt(i) > 0
}
