package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// stepTime is what a step may take that does not depend on the number of Clusters.
	stepTime = 5 * time.Minute
	// buildTime is for a machine that has never built the manager.
	buildTime = 15 * time.Minute
	// clusterTime is added for each Cluster to a step that works on all.
	clusterTime = 2 * time.Second
)

// step is one step of a run.
type step struct {
	// name completes a sentence that begins with "the run".
	name string
	// within is the time that it may take.
	within time.Duration
	do     func(context.Context) error
}

// forAll is the time of a step that works on that many Clusters.
func forAll(clusters int) time.Duration { return stepTime + time.Duration(clusters)*clusterTime }

// errInterrupted is the error of a step that the user ended.
var errInterrupted = errors.New("interrupted")

// do announces the step and does it, unless the manager ends in it.
func (w *world) do(ctx context.Context, s step) error {
	w.say("%s", s.name)
	timed, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	bounded, end := context.WithCancelCause(timed)
	defer end(nil)
	go w.manager.watch(bounded, end)
	err := s.do(bounded)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(bounded), errManagerEnded):
		return fmt.Errorf("the step that %s: %w", s.name, errManagerEnded)
	case ctx.Err() != nil:
		return errInterrupted
	case bounded.Err() != nil:
		return fmt.Errorf("the step that %s did not happen within %s: %w", s.name, s.within, err)
	default:
		return fmt.Errorf("the step that %s: %w", s.name, err)
	}
}

// say prints a line with the time since the run began.
func (w *world) say(format string, args ...any) {
	_, _ = fmt.Fprintf(w.out, "[%7.1fs] %s\n", time.Since(w.started).Seconds(), fmt.Sprintf(format, args...))
}

// detail prints a line that belongs to the one before.
func (w *world) detail(format string, args ...any) {
	_, _ = fmt.Fprintf(w.out, "           %s\n", fmt.Sprintf(format, args...))
}
