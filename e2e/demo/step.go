package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

const (
	// stepTime is within what a step must happen. Usually it takes seconds.
	stepTime = 3 * time.Minute
	// chooseTime leaves three downloads their minute each.
	chooseTime = 4 * time.Minute
	// buildTime is for a machine that has never built the manager.
	buildTime = 15 * time.Minute
	// lookInterval is how often the demo looks at what it cannot watch.
	lookInterval = 50 * time.Millisecond
	// logLines is how much of the manager's log is shown after a failure.
	logLines = 40
)

// step is one step of the demo.
type step struct {
	// name completes a sentence that begins with "the demo".
	name string
	// within is the time that it may take.
	within time.Duration
	do     func(context.Context) error
}

// errInterrupted is the error of a step that the user ended.
var errInterrupted = errors.New("interrupted")

// do announces the step and does it.
func (w *world) do(ctx context.Context, s step) error {
	w.say("%s", s.name)
	bounded, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	err := s.do(bounded)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return errInterrupted
	case bounded.Err() != nil:
		return fmt.Errorf("the step that %s did not happen within %s: %w", s.name, s.within, err)
	default:
		return fmt.Errorf("the step that %s: %w", s.name, err)
	}
}

// say prints a line with the time since the demo began.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(w.out, "[%5.1fs] %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...))
}

// detail prints a line that belongs to the one before.
func (w *world) detail(format string, args ...any) {
	fmt.Fprintf(w.out, "         %s\n", fmt.Sprintf(format, args...))
}

// await waits until check returns nil, and returns its last error if that does
// not happen. It gives up at once when the manager ends.
func (w *world) await(ctx context.Context, check func(context.Context) error) error {
	var last error
	err := wait.PollUntilContextCancel(ctx, lookInterval, true, func(ctx context.Context) (bool, error) {
		if err := w.manager.Ended(); err != nil {
			return false, err
		}
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}
