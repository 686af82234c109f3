package workload

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

func TestAWatchThatPanicsBeginsAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server, told, panicked := &streams{}, &counted{}, false
		open := func(
			ctx context.Context, client *Client, target rollout.Target, from string, lasting time.Duration,
		) (*frames, error) {
			if !panicked {
				panicked = true
				panic("what a server sent")
			}
			return server.open(ctx, client, target, from, lasting)
		}
		b := bubble{newWatches(t.Context(), told.notify, open), server, told}
		b.Set(calico, &Client{}, membersOf(t, "a"))
		afterRestart()
		b.wantRunning(t, "the watch that panicked", 1)
	})
}
