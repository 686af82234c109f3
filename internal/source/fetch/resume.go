package fetch

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// maxValidator bounds what is kept of a server's header, in bytes.
const maxValidator = 256

// errFromStart is the error of a server that did not resume where it was asked to.
var errFromStart = errors.New("the server does not resume in the middle")

// span is where a download shall begin: at an offset in the version of the file
// that a validator names.
type span struct {
	offset    int64
	validator string
}

// spanOf returns the span, or one from 0 on when the validator, which may come
// from a disk, cannot be sent: without it the bytes may be of another file.
func spanOf(offset int64, validator string) span {
	_, err := http.ParseTime(validator)
	if offset <= 0 || err != nil && !isStrongETag(validator) {
		return span{}
	}
	return span{offset: offset, validator: validator}
}

// ask sets the headers of a request for the span. Ranges count the bytes of the
// encoding that is sent, so that they make sense without one only.
func (at span) ask(header http.Header) {
	if at.offset == 0 {
		header.Set("Accept-Encoding", "gzip")
		return
	}
	header.Set("Accept-Encoding", "identity")
	header.Set("Range", "bytes="+strconv.FormatInt(at.offset, 10)+"-")
	header.Set("If-Range", at.validator)
}

// opened is the body of a file from an offset on.
type opened struct {
	io.ReadCloser
	from      int64
	validator string
}

// answered reports whether resp, with the status 206, is all of the file from the
// span on.
func (at span) answered(resp *http.Response) bool {
	r, ok := httpclient.ParseContentRange(resp.Header.Get("Content-Range"))
	etag := resp.Header.Get("ETag")
	switch {
	case !ok || r.First != at.offset || r.Size >= 0 && r.Last != r.Size-1:
		return false
	case resp.ContentLength >= 0 && resp.ContentLength != r.Last-r.First+1:
		return false
	case isStrongETag(at.validator) && etag != "" && etag != at.validator:
		return false
	}
	return isIdentity(resp.Header.Get("Content-Encoding"))
}

// validatorOf returns what names this version of the file that resp, with the
// status 200, is: its strong ETag, or its Last-Modified where that is as good. It
// is empty when the server cannot go on in the middle of these bytes.
func validatorOf(resp *http.Response) string {
	if !isIdentity(resp.Header.Get("Content-Encoding")) || resp.Header.Get("Accept-Ranges") == "none" {
		return ""
	}
	if etag := resp.Header.Get("ETag"); isStrongETag(etag) {
		return etag
	}
	// A file may change twice in a second: RFC 9110 section 8.8.2.2.
	modified := resp.Header.Get("Last-Modified")
	at, err := http.ParseTime(modified)
	if err != nil {
		return ""
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err != nil || date.Sub(at) < time.Second {
		return ""
	}
	return modified
}

// isStrongETag reports whether an ETag identifies the bytes themselves (RFC 9110
// section 8.8.3) and is short enough to be kept.
func isStrongETag(etag string) bool {
	if len(etag) < 2 || len(etag) > maxValidator || etag[0] != '"' || etag[len(etag)-1] != '"' {
		return false
	}
	return !strings.ContainsFunc(etag[1:len(etag)-1], func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' })
}

func isIdentity(encoding string) bool {
	return encoding == "" || strings.EqualFold(encoding, "identity")
}
