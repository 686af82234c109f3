package helm

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// yamlEntries yields the entries of a chart in an index that is YAML. It looks for them by
// their lines and indentation, as Helm and its relatives write them, and decodes one at a
// time. Entries in another form, in flow collections, are decoded together.
func yamlEntries(r *bufio.Reader, name string, yield func(indexEntry, error) bool) error {
	x := &yamlIndex{r: r, name: name, yield: yield}
	if err := x.skipTo("entries"); err != nil {
		return unlessEnd(err)
	}
	if x.value() != "" {
		return x.together()
	}
	if err := x.charts(); err != nil {
		return err
	}
	return x.emit()
}

// yamlIndex reads an index line by line.
type yamlIndex struct {
	r     *bufio.Reader
	name  string
	yield func(indexEntry, error) bool

	// line is the current one, and indent its number of spaces.
	line   string
	indent int

	// inside is true among the lines of the chart.
	inside bool
	// item is the indentation of its entries, and text the lines of the current one.
	item int
	text []byte
}

// next reads the next line that is neither blank nor a comment, or io.EOF.
func (x *yamlIndex) next() error {
	for {
		line, err := x.r.ReadSlice('\n')
		long := []byte(nil)
		for errors.Is(err, bufio.ErrBufferFull) {
			if long = append(long, line...); len(long) > maxEntryBytes {
				return entryTooLarge()
			}
			line, err = x.r.ReadSlice('\n')
		}
		line = append(long, line...)
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) {
			return err
		}
		trimmed := bytes.TrimLeft(line, " ")
		if content := bytes.TrimSpace(trimmed); len(content) > 0 && content[0] != '#' {
			x.line, x.indent = string(line), len(line)-len(trimmed)
			return nil
		}
	}
}

// unlessEnd returns err, and nil for the end of the index.
func unlessEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// skipTo reads up to the line with a key of the whole document, or io.EOF.
func (x *yamlIndex) skipTo(key string) error {
	for {
		if err := x.next(); err != nil {
			return err
		}
		if x.indent > 0 || strings.HasPrefix(x.line, "---") || strings.HasPrefix(x.line, "- ") {
			continue
		}
		found, ok := x.key()
		if !ok {
			return errNotIndex
		}
		if found == key {
			return nil
		}
	}
}

// key returns the key that the current line has; ok is false if it has none.
func (x *yamlIndex) key() (key string, ok bool) {
	key, rest, ok := strings.Cut(strings.TrimSpace(x.line), ":")
	if !ok || (rest != "" && rest[0] != ' ' && rest[0] != '\t') {
		return "", false
	}
	return strings.Trim(strings.TrimSpace(key), `"'`), true
}

// value returns what is behind the key of the current line, without a comment.
func (x *yamlIndex) value() string {
	_, rest, _ := strings.Cut(strings.TrimSpace(x.line), ":")
	if rest = strings.TrimSpace(rest); strings.HasPrefix(rest, "#") {
		return ""
	}
	return rest
}

// together yields the entries of an index whose entries are a flow collection.
func (x *yamlIndex) together() error {
	text := []byte(x.line)
	for {
		err := x.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if text = append(text, x.line...); err != nil || len(text) > maxEntryBytes {
			return errors.Join(err, entryTooLarge())
		}
	}
	var index struct {
		Entries map[string][]indexEntry `json:"entries"`
	}
	if err := decodeEntries(text, &index); err != nil {
		return err
	}
	return x.yieldAll(index.Entries[x.name])
}

// charts reads the charts, and keeps the lines of the one that is wanted.
func (x *yamlIndex) charts() error {
	for indent := -1; ; {
		err := x.next()
		if err != nil {
			return unlessEnd(err)
		}
		if indent < 0 {
			indent = x.indent
		}
		isItem := strings.HasPrefix(x.line[x.indent:], "-")
		switch {
		case x.indent == 0 && !isItem, x.indent < indent:
			return nil // the end of the entries
		case x.indent == indent && !isItem:
			err = x.chart()
		case x.inside:
			err = x.add(isItem)
		}
		if err != nil {
			return err
		}
	}
}

// chart begins with a chart.
func (x *yamlIndex) chart() error {
	if err := x.emit(); err != nil {
		return err
	}
	key, ok := x.key()
	if !ok {
		return errNotIndex
	}
	if x.inside, x.item = key == x.name, -1; !x.inside {
		return nil
	}
	if value := x.value(); value != "" {
		x.text = append(x.text, value...)
		x.text = append(x.text, '\n')
	}
	return nil
}

// add adds a line to the entry that it belongs to.
func (x *yamlIndex) add(isItem bool) error {
	if isItem && x.item < 0 {
		x.item = x.indent
	}
	if isItem && x.indent == x.item {
		if err := x.emit(); err != nil {
			return err
		}
	}
	if x.text = append(x.text, x.line...); len(x.text) > maxEntryBytes {
		return entryTooLarge()
	}
	return nil
}

// emit yields the entry that was read.
func (x *yamlIndex) emit() error {
	if len(x.text) == 0 {
		return nil
	}
	var entries []indexEntry
	err := decodeEntries(x.text, &entries)
	x.text = x.text[:0]
	if err != nil {
		return err
	}
	return x.yieldAll(entries)
}

func (x *yamlIndex) yieldAll(entries []indexEntry) error {
	for _, entry := range entries {
		if !x.yield(entry, nil) {
			return errEnough
		}
	}
	return nil
}
