package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// lineBuffer is the size in bytes up to which a line is read without a copy.
const lineBuffer = 64 << 10

// errLineTooLong means that one line is larger than a document may be.
var errLineTooLong = errors.New("line too long")

// chunk is the text of one document. It is valid until the next one is read.
type chunk struct {
	text []byte
	// line is the number of the first line of the text.
	line int
	// json is true if the text is a sequence of JSON values.
	json bool
}

// splitter cuts a stream into documents as kubectl does: at lines that begin
// with "---" and hold no more than a comment, and at "..." lines. JSON values
// that follow each other without a separator are cut at the end of the line on
// which a value ends.
type splitter struct {
	lines  lineReader
	limits Limits
	room   *admission
	// source is the name of the stream, for messages.
	source string
	// documents counts the documents that were returned.
	documents int
	text      []byte
}

func newSplitter(r io.Reader, source string, limits Limits, admit Admit) *splitter {
	room := &admission{admit: admit, limits: limits}
	return &splitter{
		lines:  lineReader{r: bufio.NewReaderSize(r, lineBuffer), limit: limits.document(), room: room},
		limits: limits,
		room:   room,
		source: source,
	}
}

// end gives back the memory of the document that was read last.
func (s *splitter) end() {
	if cap(s.text) > bigText {
		s.text, s.lines.long = nil, nil
	}
	s.room.end()
}

// next returns the next document that holds more than comments, or io.EOF.
func (s *splitter) next() (chunk, error) {
	s.text = s.text[:0]
	var first int
	var brackets brackets
	for {
		line, ends, err := s.line()
		if ends && len(s.text) > 0 {
			return s.cut(first, false), nil
		}
		if err != nil {
			return chunk{}, err
		}
		if len(s.text) == 0 {
			if ends || holdsNothing(line) {
				continue
			}
			first = s.lines.number
			brackets.start(line)
		}
		if err := s.append(line, first); err != nil {
			return chunk{}, err
		}
		if brackets.closedBy(line) && isJSON(s.text) {
			return s.cut(first, true), nil
		}
	}
}

// append adds a line to the text of a document that begins with the given one.
func (s *splitter) append(line []byte, first int) error {
	s.text = append(s.text, line...)
	if int64(len(s.text)) > s.limits.document() {
		return s.tooLarge(first)
	}
	return s.room.read(len(s.text))
}

func (s *splitter) cut(first int, isJSON bool) chunk {
	s.documents++
	return chunk{text: s.text, line: first, json: isJSON}
}

// line returns the next line after a check that it is text. ends is true for a
// separator and, together with io.EOF, at the end of the stream.
func (s *splitter) line() (line []byte, ends bool, err error) {
	line, err = s.lines.next()
	switch {
	case errors.Is(err, errLineTooLong):
		return nil, false, s.tooLarge(s.lines.number)
	case errors.Is(err, io.EOF):
		return nil, true, io.EOF
	case err != nil:
		return nil, false, fmt.Errorf("read %s: %w", s.source, err)
	case !utf8.Valid(line):
		return nil, false, invalid(s.place(s.lines.number), "not UTF-8 text")
	case bytes.IndexByte(line, 0) >= 0:
		return nil, false, invalid(s.place(s.lines.number), "a NUL byte in the text")
	}
	ends, err = s.endsDocument(line)
	return line, ends, err
}

// place returns the place of the document that is being read.
func (s *splitter) place(line int) Place {
	return Place{Source: s.source, Document: s.documents + 1, Line: line}
}

func (s *splitter) tooLarge(line int) error {
	return exceeded(s.place(line), "the document is larger than %d bytes", s.limits.document())
}

// endsDocument reports whether a line is a separator. Content behind a separator
// is refused, as kubectl refuses it: tools disagree on what it means.
func (s *splitter) endsDocument(line []byte) (bool, error) {
	isEnd := bytes.HasPrefix(line, []byte("..."))
	if !isEnd && !bytes.HasPrefix(line, []byte("---")) {
		return false, nil
	}
	rest := line[3:]
	trimmed := bytes.TrimSpace(rest)
	if len(trimmed) == 0 || trimmed[0] == '#' {
		return true, nil
	}
	if isEnd && rest[0] != ' ' && rest[0] != '\t' {
		return false, nil
	}
	return false, invalid(s.place(s.lines.number), "only a comment may follow %s on its line, not %s",
		line[:3], quote(string(trimmed)))
}

// holdsNothing reports whether a line before the content of a document can be left
// out: it is blank, a comment or a YAML directive.
func holdsNothing(line []byte) bool {
	trimmed := bytes.TrimSpace(line)
	return len(trimmed) == 0 || trimmed[0] == '#' || line[0] == '%'
}

// brackets follows the brackets of text that may be JSON, to see where a value ends.
type brackets struct {
	on, quoted, escaped bool
	depth               int
}

// start begins with the first line of a document.
func (b *brackets) start(line []byte) {
	trimmed := bytes.TrimSpace(line)
	*b = brackets{on: trimmed[0] == '{' || trimmed[0] == '['}
}

// closedBy reads a line and reports whether it closes the outermost bracket. It
// is true once: what follows is not JSON.
func (b *brackets) closedBy(line []byte) bool {
	if !b.on {
		return false
	}
	for _, c := range line {
		b.read(c)
	}
	if b.depth > 0 || b.quoted {
		return false
	}
	b.on = false
	return true
}

func (b *brackets) read(c byte) {
	switch {
	case b.escaped:
		b.escaped = false
	case b.quoted && c == '\\':
		b.escaped = true
	case c == '"':
		b.quoted = !b.quoted
	case b.quoted:
	case c == '{', c == '[':
		b.depth++
	case c == '}', c == ']':
		b.depth--
	}
}

// lineReader reads lines with their ends. A line is valid until the next one.
type lineReader struct {
	r     *bufio.Reader
	limit int64
	room  *admission
	// number is the number of the line that was read last, from 1.
	number int
	long   []byte
}

// next returns the next line, or io.EOF when there is none. The byte order mark
// at the very beginning is left out.
func (l *lineReader) next() ([]byte, error) {
	l.number++
	line, err := l.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.assemble(line)
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil
	}
	if l.number == 1 {
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	return line, err
}

// assemble copies together a line that is longer than the buffer.
func (l *lineReader) assemble(part []byte) ([]byte, error) {
	l.long = append(l.long[:0], part...)
	for {
		part, err := l.r.ReadSlice('\n')
		l.long = append(l.long, part...)
		if int64(len(l.long)) > l.limit {
			return nil, errLineTooLong
		}
		if err := l.room.read(len(l.long)); err != nil {
			return nil, err
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}
