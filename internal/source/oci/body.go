package oci

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

// limit returns body bounded to maxBytes.
func limit(body io.ReadCloser, maxBytes int64) io.ReadCloser {
	return &limited{ReadCloser: body, left: maxBytes, max: maxBytes}
}

// Read returns the next bytes.
func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, fault.Stallf(v1alpha1.LimitExceededReason, "larger than the limit of %d bytes", l.max)
	}
	return n, err
}
