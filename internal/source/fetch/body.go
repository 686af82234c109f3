package fetch

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// ratioFrom is how many bytes come out before the ratio of compression counts:
// short files of blanks may be anything.
const ratioFrom = 1 << 20

// maxEncodingText bounds what a message repeats of a server's header, in bytes.
const maxEncodingText = 40

// decode returns what raw holds in the given encoding of RFC 9110 section 8.4.1.
func decode(raw *httpclient.Body, encoding string, maxRatio int64) (io.ReadCloser, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return raw, nil
	case "gzip", "x-gzip":
		return &unzipped{raw: raw, maxRatio: maxRatio}, nil
	}
	return nil, fault.Retry(v1alpha1.FetchFailedReason,
		fmt.Errorf("the server sent the content encoding %s, which was not asked for",
			text.Quote(encoding, maxEncodingText)))
}

// unzipped is the content of a gzip stream. It ends with an error when its
// compression ratio is over the limit.
type unzipped struct {
	raw      *httpclient.Body
	zip      *gzip.Reader
	written  int64
	maxRatio int64
}

// Read returns the next bytes, decompressed.
func (u *unzipped) Read(p []byte) (int, error) {
	if u.zip == nil {
		zip, err := gzip.NewReader(u.raw)
		if err != nil {
			return 0, gzipFailed(err)
		}
		u.zip = zip
	}
	n, err := u.zip.Read(p)
	u.written += int64(n)
	if u.written > ratioFrom && u.written > u.maxRatio*u.raw.Received() {
		return 0, fault.Stallf(v1alpha1.LimitExceededReason,
			"the compression ratio is over the limit of %d", u.maxRatio)
	}
	if err != nil && err != io.EOF { //nolint:errorlint // a reader's contract is the value itself
		return n, gzipFailed(err)
	}
	return n, err
}

// gzipFailed returns an error of decompression. An empty body is no gzip stream:
// its end must not pass for the end of a file.
func gzipFailed(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fetchFailed("gzip", err)
}

// Close ends the download.
func (u *unzipped) Close() error { return u.raw.Close() }

// named names its source in every error.
type named struct {
	io.ReadCloser
	name string
}

// limit returns body, which begins at the byte from of the file with the given
// name, bounded so that the file has at most maxBytes.
func limit(body io.ReadCloser, name string, from, maxBytes int64) io.ReadCloser {
	return &named{ReadCloser: httpclient.Limit(body, from, maxBytes), name: name}
}

// Read returns the next bytes.
func (n *named) Read(p []byte) (int, error) {
	count, err := n.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		return count, fetchFailed(n.name, err)
	}
	return count, err
}

// stopping calls stop when it is closed.
type stopping struct {
	io.ReadCloser
	stop func()
}

// Close closes what it wraps, and stops.
func (s *stopping) Close() error {
	defer s.stop()
	return s.ReadCloser.Close()
}
