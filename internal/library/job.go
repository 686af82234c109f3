package library

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	firstRetry = time.Second
	maxRetry   = 2 * time.Minute

	// stalledRetry is for errors that only a change upstream resolves.
	stalledRetry = 10 * time.Minute

	// fetchingRetry is when to ask again about a job that runs after a Wait.
	fetchingRetry = 30 * time.Second
)

// job is work in the background on behalf of Bundles. It remembers how it went.
type job[S, R any] struct {
	progress

	subject S
	// owners asked for the job. One with false may need it no longer: see doubt.
	owners map[types.NamespacedName]bool
	// cancel ends the attempt that is running.
	cancel context.CancelFunc

	// result of the last success, and whether there was one.
	result    R
	succeeded bool
}

// sortedOwners returns who asked for the job, in order.
func (j *job[S, R]) sortedOwners() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(j.owners), func(a, b types.NamespacedName) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
}

// progress is how far a job is and how its last attempt went.
type progress struct {
	running  bool
	failures int
	dueAt    time.Time
	err      error
}

// isDue reports whether the job is to be started at the time now.
func (p *progress) isDue(now time.Time) bool { return !p.running && !now.Before(p.dueAt) }

// pending returns the error that describes a job without a result.
func (p *progress) pending(now time.Time, from string) error {
	if p.err == nil || p.waitsAndRuns() {
		return fault.Wait(v1alpha1.FetchingReason, p.left(now), fmt.Errorf("%s %w", from, ErrFetching))
	}
	return p.failure(now)
}

// failure returns the error of the last attempt, with the time until it is to be
// asked about again; nil if it succeeded.
func (p *progress) failure(now time.Time) error {
	if p.err == nil {
		return nil
	}
	return &fault.Error{
		Class: fault.ClassOf(p.err), Reason: fault.ReasonOf(p.err, v1alpha1.FetchFailedReason),
		After: p.left(now), Err: p.err,
	}
}

// left returns when to ask again. A job that runs after a Wait and ends in the
// same way is no news, and nothing else would have its owners ask.
func (p *progress) left(now time.Time) time.Duration {
	if p.waitsAndRuns() {
		return fetchingRetry
	}
	return max(p.dueAt.Sub(now), 0)
}

func (p *progress) waitsAndRuns() bool { return p.running && fault.ClassOf(p.err) == fault.ClassWait }

// done records how the job went and when it is due again: after the interval, or
// after a back-off.
func (p *progress) done(now time.Time, err error, interval time.Duration) {
	p.running, p.err = false, err
	if err == nil {
		p.failures, p.dueAt = 0, now.Add(interval)
		return
	}
	p.failures++
	p.dueAt = now.Add(p.backoff(err))
}

func (p *progress) backoff(err error) time.Duration {
	switch fault.ClassOf(err) {
	case fault.ClassStall:
		return stalledRetry
	case fault.ClassWait:
		return max(fault.AfterOf(err), firstRetry)
	case fault.ClassRetry:
	}
	return min(firstRetry<<min(p.failures-1, 16), maxRetry)
}
