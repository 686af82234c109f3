package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Blob opens the bytes of a layer from offset on, and returns the offset that
// they begin at: 0 where the server does not resume. Content is named by its
// digest, so a resumed download has the same bytes, from any mirror. The
// caller verifies the digest of the whole; that of a mirror's bytes is verified
// here too, and after an error of its body the next call begins elsewhere.
//
// The reader ends with an error at a byte more or less than the layer's size,
// and names the reference in every error. ctx bounds the reader too: it must
// live until the reader is closed, and the caller must close it.
func (c *Client) Blob(
	ctx context.Context, ref Reference, layer Layer, offset int64, creds Credentials,
) (io.ReadCloser, int64, error) {
	if _, err := ref.parseRepository(); err != nil {
		return nil, 0, err
	}
	if err := checkSHA256(layer.Digest); err != nil {
		return nil, 0, fault.Wrap(ref.Repository, err)
	}
	if offset < 0 || offset > layer.Size {
		return nil, 0, httpclient.Failed(fmt.Errorf("%s: the offset %d is not in the layer's %d bytes", ref, offset, layer.Size))
	}
	if offset > 0 && offset == layer.Size {
		return http.NoBody, offset, nil
	}
	ctx, stop := c.bounded(ctx)
	name := fmt.Sprintf("%s: layer %s", ref, layer.Digest)
	opened, err := firstOf(ctx, c, ref, creds, func(ctx context.Context, r *repository) (*blob, error) {
		b, err := r.blob(ctx, layer, offset)
		return b, fault.Wrap("layer "+layer.Digest.String(), err)
	})
	if err != nil {
		stop()
		return nil, 0, err
	}
	opened.name, opened.stop = name, stop
	return opened, opened.offset, nil
}

// blob opens a layer. A server that refuses the range is asked for everything.
func (r *repository) blob(ctx context.Context, layer Layer, offset int64) (*blob, error) {
	resp, err := r.getBlob(ctx, layer, offset)
	if offset > 0 && hasStatus(err, http.StatusRequestedRangeNotSatisfiable) {
		resp, err = r.getBlob(ctx, layer, 0)
	}
	if err != nil {
		return nil, err
	}
	b := &blob{body: resp.Body, endpoint: r.endpoint, penalize: r.penalize}
	if b.offset, err = rangeStart(resp, offset, layer.Size); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	b.size, b.left = layer.Size, layer.Size-b.offset
	if r.endpoint.mirror && b.offset == 0 {
		b.verifier = layer.Digest.Verifier()
	}
	if resp.ContentLength >= 0 && resp.ContentLength != b.left {
		_ = resp.Body.Close()
		return nil, b.wrongSize(b.offset + resp.ContentLength)
	}
	return b, nil
}

func (r *repository) getBlob(ctx context.Context, layer Layer, offset int64) (*http.Response, error) {
	req, err := r.request(ctx, "blobs", layer.Digest.String())
	if err != nil {
		return nil, err
	}
	if offset > 0 {
		// Some registries know no range without its end.
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, layer.Size-1))
	}
	return r.exchange(req)
}

// rangeStart returns where the body of resp begins, which is offset or 0.
func rangeStart(resp *http.Response, offset, size int64) (int64, error) {
	if resp.StatusCode != http.StatusPartialContent {
		return 0, nil
	}
	r, ok := httpclient.ParseContentRange(resp.Header.Get("Content-Range"))
	if !ok || offset == 0 || r.First != offset || r.Last != size-1 || (r.Size >= 0 && r.Size != size) {
		return 0, errors.New("the server sent another range than was asked for")
	}
	return offset, nil
}

// blob is the body of a layer.
type blob struct {
	body     io.ReadCloser
	name     string
	offset   int64
	size     int64
	left     int64
	stop     context.CancelFunc
	endpoint endpoint
	verifier digest.Verifier
	penalize func()
}

// Read returns the next bytes.
func (b *blob) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.left -= int64(n)
	switch {
	case b.left < 0:
		return 0, b.broken(b.wrongSize(b.size - b.left))
	case err == io.EOF && b.left > 0:
		return n, b.broken(httpclient.CutOff(b.size - b.left))
	case err != nil && err != io.EOF:
		return n, b.broken(err)
	case !b.verified(p[:n], err):
		return 0, b.broken(errors.New("the bytes are not those of the digest"))
	}
	return n, err
}

// verified reports whether the bytes are those of the digest, as far as is known
// after the next ones. Only those of a mirror are looked at: it is not the source
// that is wrong then, and another endpoint may be right.
func (b *blob) verified(next []byte, err error) bool {
	if b.verifier == nil {
		return true
	}
	_, _ = b.verifier.Write(next) // a hash takes all
	return err == nil || b.verifier.Verified()
}

// broken returns err of a body. That of a mirror is always tried again, and
// elsewhere first.
func (b *blob) broken(err error) error {
	if b.endpoint.mirror {
		b.penalize()
		err = fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("mirror %s: %w", b.endpoint, err))
	}
	return fmt.Errorf("%s: %w", b.name, httpclient.Failed(err))
}

func (b *blob) wrongSize(got int64) error {
	return fault.Stallf(v1alpha1.DigestMismatchReason,
		"the server sends %d bytes or more where the manifest says %d", got, b.size)
}

// Close ends the transfer.
func (b *blob) Close() error {
	defer b.stop()
	return b.body.Close()
}
