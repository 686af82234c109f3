package httpclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Why a download ends before its end.
var (
	// ErrTooLong is the cause of a context of WithTimeout that is over.
	ErrTooLong = errors.New("the download takes too long")

	// ErrStalled is in the error of a Body that no byte came for.
	ErrStalled = errors.New("the server stopped sending")
)

// WithTimeout bounds the time of a download. The cause of the context's end wraps
// ErrTooLong and names the bound.
func WithTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: more than %v", ErrTooLong, timeout))
}

// Body is the body of a response as it is sent. It ends with an error with the
// reason FetchFailed when no byte comes for a while, and when there are fewer
// bytes than expected.
type Body struct {
	ctx      context.Context //nolint:containedctx // the context of the request: its cause is why the body ended
	body     io.ReadCloser
	stall    time.Duration
	timer    *time.Timer
	cancel   context.CancelCauseFunc
	from     int64
	read     int64
	expected int64
}

// NewBody returns the body of a response to a request with ctx. It calls cancel,
// which cancels ctx, when it waits longer than stall for the next byte, and when
// it is closed.
func NewBody(ctx context.Context, body io.ReadCloser, stall time.Duration, cancel context.CancelCauseFunc) *Body {
	timer := time.AfterFunc(stall, func() { cancel(fmt.Errorf("%w: no byte for %v", ErrStalled, stall)) })
	timer.Stop()
	return &Body{ctx: ctx, body: body, stall: stall, timer: timer, cancel: cancel, expected: -1}
}

// Expect sets, for the messages of the body, at which byte of a file it begins and
// how many bytes are expected; fewer than 0 when that is not known, which is the
// default.
func (b *Body) Expect(from, expected int64) { b.from, b.expected = from, expected }

// Received returns how many bytes have been read.
func (b *Body) Received() int64 { return b.read }

// Read runs the timer only while it waits: a slow consumer is not a stalled server.
func (b *Body) Read(p []byte) (int, error) {
	b.timer.Reset(b.stall)
	n, err := b.body.Read(p)
	b.timer.Stop()
	b.read += int64(n)
	switch {
	case err == nil || err == io.EOF:
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF) && b.ctx.Err() == nil:
		return n, fault.Retry(v1alpha1.FetchFailedReason, b.cutOff())
	}
	return n, fault.Retry(v1alpha1.FetchFailedReason, Sanitize(b.ctx, err))
}

// Close ends the download.
func (b *Body) Close() error {
	b.timer.Stop()
	b.cancel(context.Canceled)
	return b.body.Close()
}

func (b *Body) cutOff() error {
	if b.expected < 0 {
		return CutOff(b.from + b.read)
	}
	return fmt.Errorf("cut off after %d of %d bytes: %w", b.from+b.read, b.from+b.expected, io.ErrUnexpectedEOF)
}

// CutOff returns the error of a body of unknown size that ends too early, after
// so many bytes. It wraps io.ErrUnexpectedEOF.
func CutOff(after int64) error {
	return fmt.Errorf("cut off after %d bytes: %w", after, io.ErrUnexpectedEOF)
}
