package workload

import (
	"context"
	"errors"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/klog/v2"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	firstWatchRetry = time.Second
	maxWatchRetry   = 30 * time.Second

	// endTolerance is how far from its time a stream may end that the server ended
	// since its time was over.
	endTolerance = 2 * time.Second

	// endGrace is how long after its time a stream is ended that the server, or what
	// is in between, leaves open in silence: nobody knows what it no longer sends.
	endGrace = 30 * time.Second
)

// start runs a stream until its stop is called. The caller holds w.mu.
func (w *Watches) start(client *Client, s *stream) {
	ctx, cancel := context.WithCancel(w.ctx)
	s.stop = cancel
	go w.run(ctx, client, s, s.from)
}

// run opens a stream, first behind a resource version, again and again until ctx is done.
func (w *Watches) run(ctx context.Context, client *Client, s *stream, from string) {
	backoff := newWatchBackoff()
	for {
		begun := time.Now()
		from = w.guarded(ctx, client, s, from)
		if time.Since(begun) > maxWatchRetry {
			backoff = newWatchBackoff()
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff.Step()):
		}
	}
}

func newWatchBackoff() wait.Backoff {
	return wait.Backoff{Duration: firstWatchRetry, Factor: 2, Jitter: 0.2, Steps: 10, Cap: maxWatchRetry}
}

// guarded is follow, where a panic ends the stream: the next apply or read finds what
// it was about.
func (w *Watches) guarded(ctx context.Context, client *Client, s *stream, from string) (reached string) {
	err := fault.Guard(func() error {
		reached = w.follow(ctx, client, s, from)
		return nil
	})
	if err != nil {
		klog.FromContext(ctx).Error(err, "A watch in a workload cluster begins anew")
		w.ended(s)
		return ""
	}
	return reached
}

// follow opens a stream behind a resource version, or now if that is empty, and
// passes its events on until it ends. It returns the resource version to go on
// from: nothing is missed then, and nobody is notified.
//
// It is empty, and the stream begins anew, unless the server ended the stream when
// its time was over. An API server that restarts ends its streams early, and so
// does one whose etcd is restored from a backup. The new etcd may not have reached
// the resource version, and a watch from there would keep silent until it has.
func (w *Watches) follow(ctx context.Context, client *Client, s *stream, from string) string {
	lasting := w.watchTime(client).Truncate(time.Second) // as the API server takes it
	ctx, cancel := context.WithTimeout(ctx, lasting+endGrace)
	defer cancel()
	events, err := w.open(ctx, client, s.target, from, lasting)
	if err != nil {
		// The next apply or read fails in the same way and reports it.
		w.ended(s)
		return ""
	}
	defer events.close()
	events.limits = s.limits
	begun := time.Now()
	if from == "" {
		w.began(s)
	} else {
		w.goesOn(s)
	}
	err = w.passOn(s, events)
	if events.reached == "" || !isOver(err, time.Since(begun), lasting) {
		w.ended(s)
		return ""
	}
	return events.reached
}

// isOver reports whether a stream that ended with err ended since its time was over.
func isOver(err error, lasted, lasting time.Duration) bool {
	return errors.Is(err, io.EOF) && (lasted-lasting).Abs() <= endTolerance
}

// passOn passes events on until the stream ends, and returns why it did.
func (w *Watches) passOn(s *stream, events *frames) error {
	for {
		happened, err := events.next()
		if err != nil {
			return err
		}
		if !s.limits.admit(events.size) {
			return errFlood
		}
		if happened.kind != watch.Bookmark {
			w.tell(s, w.keysFor(s, happened))
		}
	}
}

// tell notifies keys of an event, later if the workload cluster had too many.
func (w *Watches) tell(s *stream, keys []types.NamespacedName) {
	if len(keys) == 0 || s.limits.wakes.Allow() {
		w.notifyAll(keys)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.add(&w.flooded, keys...)
}

// watchTime returns how long a stream through the client is to last.
func (w *Watches) watchTime(client *Client) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if streams := w.clusters[client]; streams != nil {
		return streams.watchTime(time.Now())
	}
	return w.period // the stream was stopped before it began
}

// began notes that the server sends the events of a stream. What happened before it
// does nobody reports, so every key is notified.
func (w *Watches) began(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.forget()
	s.isOpen = true
	to := &w.started
	switch {
	case s.wasOpen && !s.limits.wakes.Allow():
		to = &w.flooded
	case s.wasOpen:
		to = &w.restarted
	}
	s.wasOpen = true
	w.add(to, s.keys()...)
}

// goesOn notes that the server sends the events of a stream from where it ended, or
// somebody looked: nothing is missed.
func (w *Watches) goesOn(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.isOpen, s.wasOpen = true, true
}

// ended notes that the server does not send the events of a stream.
func (w *Watches) ended(s *stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.forget()
	s.isOpen, s.from = false, ""
}

func (w *Watches) keysFor(s *stream, happened event) []types.NamespacedName {
	w.mu.Lock()
	defer w.mu.Unlock()
	return s.keysFor(happened)
}
