package rendered

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	// maxPacked bounds what is kept in a Secret, in bytes: an API server takes 1 MiB.
	maxPacked = 1_000_000

	// maxUnpacked bounds what that may be unpacked to, in bytes: the limit of what a
	// chart renders to.
	maxUnpacked = 64 << 20
)

var errTooLarge = fault.Stallf(v1alpha1.LimitExceededReason,
	"what it renders to has more than %d bytes compressed, which no Secret can keep: "+
		"leave its CustomResourceDefinitions to another source (includeCRDs: false), or turn the random functions off "+
		"by the values", maxPacked)

// pack compresses manifests. The same manifests give the same bytes.
func pack(manifests io.Reader) ([]byte, error) {
	out := &limited{}
	zip, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(zip, manifests)
	if err = errors.Join(err, zip.Close()); errors.Is(err, errTooLarge) {
		return nil, errTooLarge
	}
	if err != nil {
		return nil, fmt.Errorf("rendered chart: %w", err)
	}
	return out.Bytes(), nil
}

// limited is a buffer of at most maxPacked bytes.
type limited struct{ bytes.Buffer }

// Write writes all of p, or nothing.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxPacked {
		return 0, errTooLarge
	}
	return l.Buffer.Write(p)
}

// isWhole reports whether what is kept can be unpacked.
func isWhole(packed []byte) bool {
	zip, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(zip, maxUnpacked+1))
	return err == nil && n <= maxUnpacked
}
