package manifest

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// errTooMany means that a document has more nodes than the limit.
var errTooMany = errors.New("too many nodes")

// CountNodes returns how many nodes the YAML library makes of a document, which may be
// JSON: mappings, sequences, keys and values. It ends soon behind limit, for what has too
// many: a tree takes up to 300 times as much memory as its text.
//
// It finds tokens where the scanner of libyaml does, of which the library is a
// translation, and counts not them but what they announce: an item of a sequence is one
// node, a pair of a mapping is two. Nothing is missing from the count, up to where the
// library finds an error and so ends; a pair that is written with ? counts twice.
func CountNodes(text []byte, limit int) int {
	nodes, _ := measure(text, limit)
	return nodes
}

// measure returns how many nodes a document has, as CountNodes, and whether some of them
// may be expanded from aliases.
func measure(text []byte, limit int) (nodes int, aliased bool) {
	text = bytes.TrimPrefix(text, byteOrderMark)
	if !utf8.Valid(text) || bytes.Contains(text, byteOrderMark) {
		return countIndicators(text), true
	}
	s := &nodeScanner{text: text, count: 1, key: noKey}
	for s.count <= limit && s.skipToToken() {
		if len(s.open) > 0 {
			s.flowToken()
		} else {
			s.blockToken()
		}
	}
	return s.count, s.aliased
}

// byteOrderMark may begin a text.
var byteOrderMark = []byte("\ufeff")

// countIndicators returns how many nodes a text can have at most. It is for texts that
// the library reads in another way: in UTF-16, or with byte order marks that have it
// skip the first letters of lines.
func countIndicators(text []byte) int {
	count := 1
	for _, c := range text {
		if bytes.IndexByte([]byte("-?:,[{"), c) >= 0 {
			count += 2
		}
	}
	return count
}

// noKey means that no key has begun on the line.
const noKey = -1

// nodeScanner finds the tokens of a YAML document.
type nodeScanner struct {
	text []byte
	// at is the next byte, and line the first one of its line.
	at, line int
	// indents are the columns of the block collections around the next token.
	indents []int
	// key is the column where the key of a block mapping may have begun.
	key int
	// open are the brackets of the flow collections around the next token.
	open []byte
	// fresh is true if the next token in a flow collection begins an item.
	fresh bool
	count int
	// aliased is true if there was an alias.
	aliased bool
}

// skipToToken moves to the next token. It returns false if there is none.
func (s *nodeScanner) skipToToken() bool {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t':
			s.at++
		case c == '#':
			s.skipLine()
		case s.breakAt(s.at) > 0:
			s.newLine()
		default:
			return true
		}
	}
	return false
}

// newLine moves behind a line break.
func (s *nodeScanner) newLine() {
	s.at += s.breakAt(s.at)
	s.line, s.key = s.at, noKey
}

// skipLine moves to the end of the line.
func (s *nodeScanner) skipLine() {
	for s.at < len(s.text) && s.breakAt(s.at) == 0 {
		s.at++
	}
}

// breakAt returns the length of the line break at i, 0 if there is none.
func (s *nodeScanner) breakAt(i int) int {
	switch s.text[i] {
	case '\n', '\r':
		return 1
	case 0xc2:
		if bytes.HasPrefix(s.text[i:], []byte("\u0085")) {
			return 2
		}
	case 0xe2:
		if bytes.HasPrefix(s.text[i:], []byte("\u2028")) || bytes.HasPrefix(s.text[i:], []byte("\u2029")) {
			return 3
		}
	}
	return 0
}

// blankAt reports whether at i is white space or the end.
func (s *nodeScanner) blankAt(i int) bool {
	return i >= len(s.text) || s.text[i] == ' ' || s.text[i] == '\t' || s.text[i] == 0 || s.breakAt(i) > 0
}

// blockToken reads a token outside of flow collections.
func (s *nodeScanner) blockToken() {
	column := s.at - s.line
	for s.indent() > column {
		s.indents = s.indents[:len(s.indents)-1]
	}
	switch c := s.text[s.at]; {
	case c == '-' && s.blankAt(s.at+1):
		s.begin(column, 1)
	case c == '?' && s.blankAt(s.at+1):
		s.begin(column, 2)
	case c == ':' && s.blankAt(s.at+1):
		if s.key != noKey {
			column = s.key
		}
		s.begin(column, 2)
	case c == '|', c == '>':
		s.blockScalar()
	default:
		if s.key == noKey {
			s.key = column
		}
		s.content()
	}
}

// begin reads an indicator before nodes of a block collection in a column.
func (s *nodeScanner) begin(column, nodes int) {
	if s.indent() < column {
		s.indents = append(s.indents, column)
	}
	s.key = noKey
	s.count += nodes
	s.at++
}

// indent returns the column of the innermost block collection, -1 if there is none.
func (s *nodeScanner) indent() int {
	if len(s.indents) == 0 {
		return -1
	}
	return s.indents[len(s.indents)-1]
}

// blockScalar skips its header and all lines that are indented behind the collection
// that it is in. The library may see its end before, but then it finds an error there.
func (s *nodeScanner) blockScalar() {
	s.skipLine()
	for s.at < len(s.text) {
		s.newLine()
		from := s.at
		for s.at < len(s.text) && s.text[s.at] == ' ' {
			s.at++
		}
		isBlank := s.at == len(s.text) || s.breakAt(s.at) > 0
		if !isBlank && s.at-from <= max(s.indent(), 0) {
			s.at = from
			return
		}
		s.skipLine()
	}
}

// flowToken reads a token inside of flow collections.
func (s *nodeScanner) flowToken() {
	switch s.text[s.at] {
	case ']', '}':
		s.open = s.open[:len(s.open)-1]
		s.fresh = false
		s.at++
	case ',':
		s.fresh = true
		s.at++
	case '?', ':':
		s.item()
		if s.open[len(s.open)-1] == '[' {
			s.count += 2 // the item is a mapping of one pair
		}
		s.at++
	default:
		s.item()
		s.content()
	}
}

// item counts the item of a flow collection that a token begins: a node, or a pair.
func (s *nodeScanner) item() {
	if !s.fresh {
		return
	}
	s.fresh = false
	s.count++
	if s.open[len(s.open)-1] == '{' {
		s.count++
	}
}
