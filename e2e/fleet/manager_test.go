package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestAStepEndsWithAManagerThatNobodyStopped(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	close(done)
	for name, isStopped := range map[string]bool{"by itself": false, "stopped": true} {
		var stopping atomic.Bool
		stopping.Store(isStopped)
		ctx, end := context.WithCancelCause(t.Context())
		watch(ctx, done, &stopping, end)
		if ended := errors.Is(context.Cause(ctx), errManagerEnded); ended == isStopped {
			t.Errorf("%s: the step ended: %v", name, ended)
		}
		end(nil)
	}
}
