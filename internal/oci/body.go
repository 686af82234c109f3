package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// rawBody is the body of a response. It ends with an error when no byte comes
// for a while.
type rawBody struct {
	ctx   context.Context //nolint:containedctx // it is that of the request, and tells why the body ended
	body  io.ReadCloser
	stall time.Duration
	timer *time.Timer
	cut   context.CancelCauseFunc
	read  int64
}

// newRawBody returns the body of resp. It calls cut, which cancels ctx, when it
// waits longer than stall for the next byte, and when it is closed.
func newRawBody(ctx context.Context, resp *http.Response, stall time.Duration, cut context.CancelCauseFunc) *rawBody {
	timer := time.AfterFunc(stall, func() { cut(fmt.Errorf("%w: no byte for %v", errStalled, stall)) })
	timer.Stop()
	return &rawBody{ctx: ctx, body: resp.Body, stall: stall, timer: timer, cut: cut}
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
		return n, failed(cutOff(b.read))
	}
	return n, failed(plain(b.ctx, err))
}

// Close ends the transfer.
func (b *rawBody) Close() error {
	b.timer.Stop()
	b.cut(context.Canceled)
	return b.body.Close()
}

func cutOff(after int64) error {
	return fmt.Errorf("cut off after %d bytes: %w", after, io.ErrUnexpectedEOF)
}

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
		return 0, fault.Terminalf(v1alpha1.LimitExceededReason, "larger than the limit of %d bytes", l.max)
	}
	return n, err
}
