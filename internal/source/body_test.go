package source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestABodyStallsOnlyWhileItIsWaitedFor(t *testing.T) {
	t.Parallel()
	const stall = 30 * time.Second
	tests := map[string]struct {
		givenPause   time.Duration // of the server, before every byte
		givenConsume time.Duration // of the reader, after every byte
		wantErr      error
	}{
		"a slow server that keeps sending": {givenPause: 29 * time.Second, wantErr: io.EOF},
		"a slow consumer":                  {givenConsume: time.Hour, wantErr: io.EOF},
		"both are slow":                    {givenPause: 29 * time.Second, givenConsume: 29 * time.Second, wantErr: io.EOF},
		"a server that pauses too long":    {givenPause: 31 * time.Second, wantErr: errStalled},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cut := context.WithCancelCause(t.Context())
				defer cut(nil)
				body := &pausing{ctx: ctx, pause: tc.givenPause, left: 5}
				raw := newRawBody(ctx, &http.Response{Body: body, ContentLength: 5}, stall, cut)
				var err error
				for err == nil {
					_, err = raw.Read(make([]byte, 1))
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

// pausing is a body of single bytes that come after a pause each.
type pausing struct {
	ctx   context.Context //nolint:containedctx // it stands for the one of a request
	pause time.Duration
	left  int
}

func (b *pausing) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(b.pause):
		b.left--
		return copy(p, "x"), nil
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

func (b *pausing) Close() error { return nil }
