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

	// ErrSlow is in the error of a Body whose bytes come too slowly.
	ErrSlow = errors.New("the server is too slow")
)

// Pace is how fast a server has to send.
type Pace struct {
	// Stall bounds waiting for the next byte. It must be positive.
	Stall time.Duration
	// MinThroughput is how many bytes a second come at least, over each time of the
	// length of Stall that they are waited for. Zero allows any.
	MinThroughput int64
}

// WithTimeout bounds the time of a download. The cause of the context's end wraps
// ErrTooLong and names the bound.
func WithTimeout(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, timeout, fmt.Errorf("%w: more than %v", ErrTooLong, timeout))
}

// Body is the body of a response as it is sent. It ends with an error with the
// reason FetchFailed when no byte comes for a while, when bytes come too slowly, and
// when there are fewer than expected.
type Body struct {
	ctx      context.Context //nolint:containedctx // the context of the request: its cause is why the body ended
	body     io.ReadCloser
	pace     Pace
	timer    *time.Timer
	cancel   context.CancelCauseFunc
	from     int64
	read     int64
	expected int64

	// waited is how long bytes were waited for since the throughput was looked at, and
	// came is how many came.
	waited time.Duration
	came   int64
}

// NewBody returns the body of a response to a request with ctx. It calls cancel,
// which cancels ctx, when the next byte does not come in time, and when it is closed.
func NewBody(ctx context.Context, body io.ReadCloser, pace Pace, cancel context.CancelCauseFunc) *Body {
	timer := time.AfterFunc(pace.Stall, func() { cancel(fmt.Errorf("%w: no byte for %v", ErrStalled, pace.Stall)) })
	timer.Stop()
	return &Body{ctx: ctx, body: body, pace: pace, timer: timer, cancel: cancel, expected: -1}
}

// Expect sets, for the messages of the body, at which byte of a file it begins and
// how many bytes are expected; fewer than 0 when that is not known, which is the
// default.
func (b *Body) Expect(from, expected int64) { b.from, b.expected = from, expected }

// Received returns how many bytes have been read.
func (b *Body) Received() int64 { return b.read }

// Read runs the timer and measures the throughput only while it waits: a slow consumer
// is not a slow server.
func (b *Body) Read(p []byte) (int, error) {
	begun := time.Now()
	b.timer.Reset(b.pace.Stall)
	n, err := b.body.Read(p)
	b.timer.Stop()
	b.read += int64(n)
	switch {
	case err == nil && b.isSlow(int64(n), time.Since(begun)):
		return n, fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("%w: fewer than %d bytes a second for %v "+
			"(flag --min-throughput)", ErrSlow, b.pace.MinThroughput, b.pace.Stall))
	case err == nil, err == io.EOF && b.ctx.Err() == nil:
		// An end that comes behind that of the context is one that the server made of it.
		return n, err
	case errors.Is(err, io.ErrUnexpectedEOF) && b.ctx.Err() == nil:
		return n, fault.Retry(v1alpha1.FetchFailedReason, b.cutOff())
	}
	return n, fault.Retry(v1alpha1.FetchFailedReason, Sanitize(b.ctx, err))
}

// isSlow reports whether too few bytes came, as soon as they were waited for long enough,
// given the next ones.
func (b *Body) isSlow(came int64, waited time.Duration) bool {
	b.came, b.waited = b.came+came, b.waited+waited
	if b.waited < b.pace.Stall {
		return false
	}
	slow := float64(b.came) < float64(b.pace.MinThroughput)*b.waited.Seconds()
	b.came, b.waited = 0, 0
	return slow
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
