package source

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// ratioFrom is how many bytes come out before the ratio of compression counts:
// short files of blanks may be anything.
const ratioFrom = 1 << 20

// maxEncodingText bounds what is repeated of a server's header.
const maxEncodingText = 40

// rawBody is the body of a response as it is sent. It ends with an error when
// no byte comes for a while, and when there are fewer bytes than promised.
type rawBody struct {
	ctx     context.Context //nolint:containedctx // it is that of the request, and tells why the body ended
	body    io.ReadCloser
	stall   time.Duration
	timer   *time.Timer
	from    int64 // where in the file it begins
	read    int64
	promise int64 // how many bytes there are, or less than 0
}

// newRawBody returns the body of resp. It calls cut, which cancels ctx, when it
// waits longer than stall for the next byte.
func newRawBody(ctx context.Context, resp *http.Response, stall time.Duration, cut context.CancelCauseFunc) *rawBody {
	timer := time.AfterFunc(stall, func() { cut(fmt.Errorf("%w: no byte for %v", errStalled, stall)) })
	timer.Stop()
	return &rawBody{ctx: ctx, body: resp.Body, stall: stall, timer: timer, promise: resp.ContentLength}
}

// Read runs the timer only while it waits: a slow consumer is not a stalled server.
func (b *rawBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.body.Read(p)
	b.timer.Stop()
	b.read += int64(n)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF) && b.ctx.Err() == nil:
		return n, fault.Failed(v1alpha1.FetchFailedReason, b.cutOff(err))
	}
	return n, fault.Failed(v1alpha1.FetchFailedReason, Plain(b.ctx, err))
}

// Close ends the download.
func (b *rawBody) Close() error {
	b.timer.Stop()
	return b.body.Close()
}

func (b *rawBody) cutOff(err error) error {
	if b.promise < 0 {
		return fmt.Errorf("cut off after %d bytes: %w", b.from+b.read, err)
	}
	return fmt.Errorf("cut off after %d of %d bytes: %w", b.from+b.read, b.from+b.promise, err)
}

// decode returns what raw holds in the given encoding of RFC 9110 section 8.4.1.
func decode(raw *rawBody, encoding string, maxRatio int64) (io.ReadCloser, error) {
	switch strings.ToLower(encoding) {
	case "", "identity":
		return raw, nil
	case "gzip", "x-gzip":
		return &unzipped{raw: raw, maxRatio: maxRatio}, nil
	}
	encoding = encoding[:min(len(encoding), maxEncodingText)]
	return nil, fault.Failed(v1alpha1.FetchFailedReason,
		fmt.Errorf("the server sent the content encoding %q, which was not asked for", encoding))
}

// unzipped is what a gzip stream holds. It ends with an error when that is out
// of all proportion.
type unzipped struct {
	raw      *rawBody
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
	if u.written > ratioFrom && u.written > u.maxRatio*u.raw.read {
		return 0, fault.Terminalf(v1alpha1.LimitExceededReason,
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

// limited ends with an error after max bytes if there are more, and names its
// source in every error.
type limited struct {
	io.ReadCloser
	name      string
	left, max int64
}

// limit returns body, which begins at the byte from of a file, bounded so that
// the file has at most maxBytes.
func limit(body io.ReadCloser, name string, from, maxBytes int64) io.ReadCloser {
	return &limited{ReadCloser: body, name: name, left: maxBytes - from, max: maxBytes}
}

// Read returns the next bytes.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fault.Terminalf(v1alpha1.LimitExceededReason,
			"%s: larger than the limit of %d bytes", l.name, l.max)
	}
	if err != nil && err != io.EOF {
		return n, fetchFailed(l.name, err)
	}
	return n, err
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
