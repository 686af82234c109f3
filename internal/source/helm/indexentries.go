package helm

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"iter"

	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

const (
	// maxEntryBytes bounds the entry of one version of a chart, and what is read at once of
	// the others.
	maxEntryBytes = 1 << 20
	// maxEntryNodes bounds the keys and values of an entry.
	maxEntryNodes = 50_000
)

// errNotIndex is the error for what is something else, such as the page of a login.
var errNotIndex = errors.New("not the index of a chart repository")

// entriesOf iterates over the entries of a chart in an index, in YAML or JSON. What is not
// asked for is passed over.
func entriesOf(content io.Reader, name string) iter.Seq2[indexEntry, error] {
	return func(yield func(indexEntry, error) bool) {
		bounded := &boundedIndex{r: content, left: MaxIndexBytes}
		buffered := bufio.NewReader(bounded)
		read := yamlEntries
		if startsJSON(buffered) {
			read = jsonEntries
		}
		err := read(buffered, name, yield)
		if bounded.err != nil {
			err = bounded.err
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(indexEntry{}, err)
		}
	}
}

// errEnough ends the reading of an index of which no more is wanted.
var errEnough = errors.New("no more is wanted")

// startsJSON reports whether a text begins as JSON, and skips the white space before it.
func startsJSON(r *bufio.Reader) bool {
	for {
		next, err := r.Peek(1)
		if err != nil || (next[0] != ' ' && next[0] != '\n' && next[0] != '\r' && next[0] != '\t') {
			return err == nil && next[0] == '{'
		}
		_, _ = r.Discard(1)
	}
}

// boundedIndex is the text of an index. It keeps the error that ended it.
type boundedIndex struct {
	r    io.Reader
	left int64
	err  error
}

// Read returns the next bytes.
func (b *boundedIndex) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		err = tooLarge("larger than the limit of %d bytes", MaxIndexBytes)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// decodeEntries reads entries, or a mapping with them, from a text of an index that is
// YAML or JSON.
func decodeEntries(text []byte, into any) error {
	if len(text) > maxEntryBytes {
		return entryTooLarge()
	}
	if manifest.CountNodes(text, maxEntryNodes) > maxEntryNodes {
		return tooLarge("an entry has more than %d keys and values", maxEntryNodes)
	}
	if yaml.Unmarshal(text, into) != nil {
		return errNotIndex
	}
	return nil
}

func entryTooLarge() error {
	return tooLarge("an entry is larger than the limit of %d bytes", maxEntryBytes)
}

// jsonEntries yields the entries of a chart in an index that is JSON.
func jsonEntries(r *bufio.Reader, name string, yield func(indexEntry, error) bool) error {
	j := &jsonIndex{from: &pacedReader{r: r}}
	j.decoder = json.NewDecoder(j.from)
	return notIndexUnlessFault(j.members(func(key string) error {
		if key != "entries" {
			return j.skip()
		}
		return j.members(func(chart string) error {
			if chart != name {
				return j.skip()
			}
			return j.entries(yield)
		})
	}))
}

// notIndexUnlessFault returns err if it says more than that the JSON is another one.
func notIndexUnlessFault(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok || err == nil || errors.Is(err, errEnough) {
		return err
	}
	return errNotIndex
}

// jsonIndex reads an index token by token.
type jsonIndex struct {
	from    *pacedReader
	decoder *json.Decoder
}

// pacedReader gives so many bytes for each token or entry.
type pacedReader struct {
	r    io.Reader
	left int
}

// Read returns the next bytes.
func (p *pacedReader) Read(b []byte) (int, error) {
	if p.left <= 0 {
		return 0, entryTooLarge()
	}
	n, err := p.r.Read(b[:min(len(b), p.left)])
	p.left -= n
	return n, err
}

func (j *jsonIndex) token() (json.Token, error) {
	j.from.left = maxEntryBytes
	return j.decoder.Token()
}

// members calls read with each key of the object that comes next; read reads its value.
func (j *jsonIndex) members(read func(key string) error) error {
	if begin, err := j.token(); err != nil || begin != json.Delim('{') {
		return errors.Join(err, errNotIndex)
	}
	for {
		token, err := j.token()
		key, ok := token.(string)
		if err != nil || !ok {
			return err
		}
		if err := read(key); err != nil {
			return err
		}
	}
}

// skip reads over a value.
func (j *jsonIndex) skip() error {
	for depth := 0; ; {
		token, err := j.token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// entries yields the entries of the array that comes next.
func (j *jsonIndex) entries(yield func(indexEntry, error) bool) error {
	if begin, err := j.token(); err != nil || begin != json.Delim('[') {
		return errors.Join(err, errNotIndex)
	}
	for j.from.left = maxEntryBytes; j.decoder.More(); j.from.left = maxEntryBytes {
		var text json.RawMessage
		if err := j.decoder.Decode(&text); err != nil {
			return err
		}
		var entry indexEntry
		if err := decodeEntries(text, &entry); err != nil {
			return err
		}
		if !yield(entry, nil) {
			return errEnough
		}
	}
	_, err := j.token()
	return err
}
