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
	s := &nodeScanner{text: text, count: 1, key: noKey, oddBreaks: hasOddBreaks(text)}
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
	// oddBreaks is true if there are line breaks of other kinds than \n.
	oddBreaks bool
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
	if !s.oddBreaks {
		length := bytes.IndexByte(s.text[s.at:], '\n')
		if length < 0 {
			length = len(s.text) - s.at
		}
		s.at += length
		return
	}
	for s.at < len(s.text) && s.breakAt(s.at) == 0 {
		s.at++
	}
}

// blockToken reads a token outside of flow collections.
func (s *nodeScanner) blockToken() {
	column := s.at - s.line
	for s.indent() > column {
		s.indents = s.indents[:len(s.indents)-1]
	}
	c := s.text[s.at]
	isIndicator := s.blankAt(s.at + 1)
	switch {
	case column == 0 && s.beginsDocument():
	case c == '-' && isIndicator:
		s.begin(column, 1)
	case c == '?' && isIndicator:
		s.begin(column, 2)
	case c == ':' && isIndicator:
		s.begin(s.keyColumn(column), 2)
	case c == '|', c == '>':
		s.blockScalar()
	default:
		s.key = s.keyColumn(column)
		s.content()
	}
}

// keyColumn returns the column where a key began on the line, or the given one.
func (s *nodeScanner) keyColumn(column int) int {
	if s.key == noKey {
		return column
	}
	return s.key
}

// beginsDocument reads a directive, or the mark behind them: they may stand behind line
// breaks that do not separate documents for others.
func (s *nodeScanner) beginsDocument() bool {
	if s.text[s.at] == '%' {
		s.skipLine()
		return true
	}
	if !bytes.HasPrefix(s.text[s.at:], []byte("---")) || !s.blankAt(s.at+3) {
		return false
	}
	s.at += 3
	return true
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
	case '?':
		s.flowKey()
	case ':':
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

// flowKey reads the indicator of a key in a flow collection. In a sequence without a key
// behind it, libyaml takes the end of the sequence for it: where others end is then open.
func (s *nodeScanner) flowKey() {
	if s.open[len(s.open)-1] == '[' {
		s.count += countIndicators(s.text[s.at:])
		s.at = len(s.text)
		return
	}
	s.item()
	s.at++
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
