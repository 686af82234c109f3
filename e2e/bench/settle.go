package main

import (
	"context"
	"errors"
	"time"
)

const (
	// settleWindow is the time over which an API server must have been calm, calm the
	// share of a core that it may use then.
	settleWindow = 400 * time.Millisecond
	calm         = 0.1
	// quietWindow is the time without a request after which a client has done all.
	quietWindow = 2 * time.Second
)

// settle waits until the API server has done what it does after its start, or after a step:
// it makes the schemas of CRDs anew. Only its CPU time is looked at.
func (st *stage) settle(ctx context.Context) error {
	until := time.Now().Add(settleTimeout)
	for time.Now().Before(until) {
		before, _, err := st.cpu()
		if err != nil {
			return err
		}
		if err := pause(ctx, settleWindow); err != nil {
			return err
		}
		after, _, err := st.cpu()
		if err != nil {
			return err
		}
		if (after - before).Seconds() < calm*settleWindow.Seconds() {
			return nil
		}
	}
	return nil // A loaded machine is never calm: the spread shows it.
}

// quiet waits until requests have come, and then none for a while.
func (st *stage) quiet(ctx context.Context) error {
	last, since := 0, time.Now()
	for {
		if err := pause(ctx, quietWindow/10); err != nil {
			return errors.Join(errors.New("the requests do not end"), err)
		}
		if n := st.requests(); n != last {
			last, since = n, time.Now()
		}
		if last > 0 && time.Since(since) >= quietWindow {
			return nil
		}
	}
}

// requests about objects: not those that only look whether the server is there.
func (st *stage) requests() int { return st.proxy.Count("", "") - st.proxy.Count("get", "") }

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
