package manifest

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
	ends := blank | lineBreak | colon
	if len(s.open) > 0 {
		ends |= flowIndicator
	}
	for ; s.at < len(s.text); s.at++ {
		class := classes[s.text[s.at]] & ends
		if class == 0 {
			continue
		}
		if class == flowIndicator || class == colon && s.blankAt(s.at+1) {
			return
		}
		if s.blankAt(s.at) && s.plainEnds() {
			return
		}
	}
}

// plainEnds skips white space in a plain scalar, but for the last byte of it if the scalar
// goes on, and reports whether it ends there: at a comment, or at a line that is not
// indented behind the collection that it is in.
func (s *nodeScanner) plainEnds() bool {
	if next := s.at + 1; next < len(s.text) && classes[s.text[next]] == 0 && classes[s.text[s.at]] == blank {
		return false // one space between two words
	}
	lines := s.skipBlank()
	if s.at >= len(s.text) || s.text[s.at] == '#' || lines && len(s.open) == 0 && s.at-s.line <= s.indent() {
		return true
	}
	s.at--
	return false
}

// skipBlank skips white space and reports whether there was a line break.
func (s *nodeScanner) skipBlank() bool {
	from := s.line
	for s.at < len(s.text) && s.blankAt(s.at) {
		if s.breakAt(s.at) > 0 {
			s.newLine()
		} else {
			s.at++
		}
	}
	return s.line != from
}
