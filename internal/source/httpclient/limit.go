package httpclient

import (
	"io"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// limited ends with an error after max bytes if there are more.
type limited struct {
	io.ReadCloser
	left, max int64
}

// Limit returns body, which begins at the byte from of a file, bounded so that the
// file has at most maxBytes. One byte more is a Stall with the reason
// LimitExceeded.
func Limit(body io.ReadCloser, from, maxBytes int64) io.ReadCloser {
	return &limited{ReadCloser: body, left: maxBytes - from, max: maxBytes}
}

// Read returns the next bytes.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fault.Stallf(v1alpha1.LimitExceededReason, "larger than the limit of %d bytes", l.max)
	}
	return n, err
}
