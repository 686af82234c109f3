package httpclient

import (
	"strconv"
	"strings"
)

// ContentRange is a part of a file: the bytes First to Last, counted from 0, of
// Size bytes. A Size less than 0 is not known.
type ContentRange struct{ First, Last, Size int64 }

// ParseContentRange reads a header of RFC 9110 section 14.4, such as
// "bytes 90-99/100" or "bytes 90-99/*". It is not ok for another header.
func ParseContentRange(header string) (r ContentRange, ok bool) {
	rest, isBytes := strings.CutPrefix(header, "bytes ")
	span, size, hasSize := strings.Cut(rest, "/")
	first, last, isSpan := strings.Cut(span, "-")
	if !isBytes || !hasSize || !isSpan {
		return ContentRange{}, false
	}
	r.Size = -1
	if size != "*" {
		if r.Size, ok = position(size); !ok {
			return ContentRange{}, false
		}
	}
	if r.First, ok = position(first); !ok {
		return ContentRange{}, false
	}
	if r.Last, ok = position(last); !ok {
		return ContentRange{}, false
	}
	return r, r.First <= r.Last
}

// position reads a number without a sign.
func position(text string) (n int64, ok bool) {
	u, err := strconv.ParseUint(text, 10, 63)
	return int64(u), err == nil
}
