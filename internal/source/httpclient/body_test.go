package httpclient

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestABodyIsSlowOnlyWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	const kib = 1 << 10
	tests := map[string]struct {
		givenPause   time.Duration // of the server, before every byte
		givenConsume time.Duration // of the reader, after every byte
		givenBytes   int           // that come at once; 1 if it is 0
		givenMin     int64
		wantErr      error
	}{
		"a slow server that keeps sending": {givenPause: 29 * time.Second, wantErr: io.EOF},
		"a slow consumer":                  {givenConsume: time.Hour, wantErr: io.EOF},
		"both are slow":                    {givenPause: 29 * time.Second, givenConsume: 29 * time.Second, wantErr: io.EOF},
		"a server that pauses too long":    {givenPause: 31 * time.Second, wantErr: ErrStalled},
		"a byte every 29 s, with a minimum": {
			givenPause: 29 * time.Second, givenMin: 16 * kib, wantErr: ErrSlow,
		},
		"a byte every second, with a minimum": {
			givenPause: time.Second, givenMin: 16 * kib, wantErr: ErrSlow,
		},
		"the minimum":           {givenPause: time.Second, givenBytes: 16 * kib, givenMin: 16 * kib, wantErr: io.EOF},
		"a bit less":            {givenPause: time.Second, givenBytes: 16*kib - 1, givenMin: 16 * kib, wantErr: ErrSlow},
		"much, after a pause":   {givenPause: 29 * time.Second, givenBytes: 480 * kib, givenMin: 16 * kib, wantErr: io.EOF},
		"a slow consumer of it": {givenConsume: time.Hour, givenMin: 16 * kib, wantErr: io.EOF},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cut := context.WithCancelCause(t.Context())
				defer cut(nil)
				body := &pausing{ctx: ctx, pause: tc.givenPause, size: max(tc.givenBytes, 1), left: 60}
				raw := NewBody(ctx, body, Pace{Stall: 30 * time.Second, MinThroughput: tc.givenMin}, cut)
				var err error
				for err == nil {
					_, err = raw.Read(make([]byte, body.size))
					time.Sleep(tc.givenConsume) //nolint:forbidigo // in a bubble of synctest it takes no time
				}
				if !errors.Is(err, tc.wantErr) {
					t.Errorf("want %v, got %v", tc.wantErr, err)
				}
				if err := raw.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		})
	}
}

// pausing is a body of a few bytes at a time, which come after a pause each.
type pausing struct {
	ctx   context.Context //nolint:containedctx // it stands for the one of a request
	pause time.Duration
	size  int
	left  int
}

func (b *pausing) Read([]byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.pause):
		b.left--
		return b.size, nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *pausing) Close() error { return nil }

func TestABodyThatEndsTooEarly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenFrom, givenExpected int64
		want                     string
	}{
		"of a size that is known":     {givenExpected: 10, want: "cut off after 5 of 10 bytes: unexpected EOF"},
		"of a size that is not known": {givenExpected: -1, want: "cut off after 5 bytes: unexpected EOF"},
		"from the middle on":          {givenFrom: 90, givenExpected: 10, want: "cut off after 95 of 100 bytes: unexpected EOF"},
		"from the middle to anywhere": {givenFrom: 90, givenExpected: -1, want: "cut off after 95 bytes: unexpected EOF"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cut := context.WithCancelCause(t.Context())
			defer cut(nil)
			sent := io.MultiReader(strings.NewReader("bytes"), iotest.ErrReader(io.ErrUnexpectedEOF))
			body := NewBody(ctx, io.NopCloser(sent), Pace{Stall: time.Hour}, cut)
			body.Expect(tc.givenFrom, tc.givenExpected)
			got, err := io.ReadAll(body)
			faulttest.WantMessage(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, tc.want)
			if string(got) != "bytes" || body.Received() != 5 {
				t.Errorf("want the 5 bytes before the end, got %q, %d", got, body.Received())
			}
		})
	}
}

func TestClosingABodyEndsItsRequest(t *testing.T) {
	t.Parallel()
	ctx, cut := context.WithCancelCause(t.Context())
	defer cut(nil)
	closed := false
	body := NewBody(ctx, &closing{func() { closed = true }}, Pace{Stall: time.Hour}, cut)
	if err := body.Close(); err != nil || !closed {
		t.Errorf("want the body closed, got %v, %v", closed, err)
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("want the request's context canceled, got %v", err)
	}
}

func TestAnEndThatFollowsThatOfTheContextIsNoEndOfTheFile(t *testing.T) {
	t.Parallel()
	ctx, cut := context.WithCancelCause(t.Context())
	defer cut(nil)
	ended := readFunc(func([]byte) (int, error) {
		cut(ErrStalled) // the server notices, and ends its answer before the connection is closed
		return 0, io.EOF
	})
	_, err := NewBody(ctx, io.NopCloser(ended), Pace{Stall: time.Minute}, cut).Read(make([]byte, 1))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, ErrStalled.Error())
}

// readFunc reads as the function does.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }
