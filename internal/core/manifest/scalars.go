package manifest

import "bytes"

// content reads a scalar, a property of a node, or the beginning of a flow collection.
func (s *nodeScanner) content() {
	c := s.text[s.at]
	s.at++
	switch c {
	case '[', '{':
		s.open = append(s.open, c)
		s.fresh = true
	case '\'', '"':
		s.quoted(c)
	case '*', '&':
		s.aliased = s.aliased || c == '*'
		for s.at < len(s.text) && isWord(s.text[s.at]) {
			s.at++
		}
	case '!':
		for !s.blankAt(s.at) {
			s.at++
		}
	default:
		s.plain()
	}
}

// isWord reports whether a byte may be in the name of an anchor.
func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' || c == '-'
}

// quoted skips the rest of a quoted scalar.
func (s *nodeScanner) quoted(quote byte) {
	for s.at < len(s.text) {
		c := s.text[s.at]
		s.at++
		switch {
		case c == '\\' && quote == '"':
			s.at++
		case c != quote:
		case quote == '\'' && s.at < len(s.text) && s.text[s.at] == '\'':
			s.at++
		default:
			return
		}
	}
}

// plain skips the rest of a scalar without quotes, which may have several lines.
func (s *nodeScanner) plain() {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == ' ' || c == '\t' || s.breakAt(s.at) > 0:
			if s.plainEnds() {
				return
			}
		case c == ':' && s.blankAt(s.at+1), len(s.open) > 0 && bytes.IndexByte([]byte(",?[]{}"), c) >= 0:
			return
		default:
			s.at++
		}
	}
}

// plainEnds skips white space in a plain scalar and reports whether it ends there: at a
// comment, or at a line that is not indented behind the collection that it is in.
func (s *nodeScanner) plainEnds() bool {
	lines := false
	for s.at < len(s.text) && s.blankAt(s.at) {
		if s.breakAt(s.at) > 0 {
			s.newLine()
			lines = true
			continue
		}
		s.at++
	}
	if s.at >= len(s.text) || s.text[s.at] == '#' {
		return true
	}
	return lines && len(s.open) == 0 && s.at-s.line <= s.indent()
}
