package library

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// The files that are derived from a source, with the version of their form.
// The index is written last: where it is, the objects are.
const (
	objectsKind = "objects-v2"
	indexKind   = "index-v2"
)

const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute

	// stalledRetry is for what trying again does not mend: only upstream can.
	stalledRetry = 10 * time.Minute

	// forgetAfter is how long a failure is kept after its time to try again, and
	// forgetPartsAfter what a source stood for when it was due to be asked again.
	forgetAfter      = time.Hour
	forgetPartsAfter = 24 * time.Hour
)

// job is work in the background on behalf of Bundles: the resolving of one
// source, or the fetching and indexing of one part. It remembers how it went.
type job struct {
	owners   map[types.NamespacedName]bool
	running  bool
	failures int
	dueAt    time.Time
	err      error

	// query and parts are those of a resolving job; parts are from its last success.
	query *source.Query
	parts []source.Part
}

// ErrFetching is in the error for a source that is being resolved or fetched.
var ErrFetching = errors.New("is being fetched")

// state is the error that says how far a job is that has no result yet.
func (j *job) state(now time.Time, from string) error {
	if j.err == nil || j.running && fault.ClassOf(j.err) == fault.ClassWait {
		return fault.Wait(v1alpha1.FetchingReason, 0, fmt.Errorf("%s %w", from, ErrFetching))
	}
	return j.failure(now)
}

// failure is the error of the last attempt, with the time that is left until the
// next; nil if it succeeded.
func (j *job) failure(now time.Time) error {
	if j.err == nil {
		return nil
	}
	return &fault.Error{
		Class: fault.ClassOf(j.err), Reason: fault.ReasonOf(j.err, v1alpha1.FetchFailedReason),
		After: max(j.dueAt.Sub(now), 0), Err: j.err,
	}
}

// done notes how the job went and when it is due again: after the interval, or
// after a back-off.
func (j *job) done(now time.Time, err error, interval time.Duration) {
	j.running, j.err = false, err
	if err == nil {
		j.failures, j.dueAt = 0, now.Add(interval)
		return
	}
	j.failures++
	j.dueAt = now.Add(j.backoff(err))
}

func (j *job) backoff(err error) time.Duration {
	switch fault.ClassOf(err) {
	case fault.ClassStall:
		return stalledRetry
	case fault.ClassWait:
		return max(fault.AfterOf(err), firstRetry)
	case fault.ClassRetry:
	}
	return min(firstRetry<<min(j.failures-1, 16), maxRetry)
}

// sortedOwners returns who asked for the job, in order.
func (j *job) sortedOwners() []types.NamespacedName {
	return slices.SortedFunc(maps.Keys(j.owners), func(a, b types.NamespacedName) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
}
