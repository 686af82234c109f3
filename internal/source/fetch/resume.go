package fetch

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
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
	r, ok := parseContentRange(resp.Header.Get("Content-Range"))
	etag := resp.Header.Get("ETag")
	switch {
	case !ok || r.first != at.offset || r.size >= 0 && r.last != r.size-1:
		return false
	case resp.ContentLength >= 0 && resp.ContentLength != r.last-r.first+1:
		return false
	case isStrongETag(at.validator) && etag != "" && etag != at.validator:
		return false
	}
	return isIdentity(resp.Header.Get("Content-Encoding"))
}

// contentRange is a part of a file: the bytes first to last of size, or of an
// unknown size if that is less than 0.
type contentRange struct{ first, last, size int64 }

// parseContentRange reads a header of RFC 9110 section 14.4, such as
// "bytes 90-99/100" or "bytes 90-99/*".
func parseContentRange(header string) (r contentRange, ok bool) {
	rest, isBytes := strings.CutPrefix(header, "bytes ")
	span, size, hasSize := strings.Cut(rest, "/")
	first, last, isSpan := strings.Cut(span, "-")
	if !isBytes || !hasSize || !isSpan {
		return contentRange{}, false
	}
	r.size = -1
	if size != "*" {
		if r.size, ok = position(size); !ok {
			return contentRange{}, false
		}
	}
	if r.first, ok = position(first); !ok {
		return contentRange{}, false
	}
	if r.last, ok = position(last); !ok {
		return contentRange{}, false
	}
	return r, r.first <= r.last
}

// position reads a number without a sign.
func position(text string) (n int64, ok bool) {
	u, err := strconv.ParseUint(text, 10, 63)
	return int64(u), err == nil
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
