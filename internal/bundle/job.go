package bundle

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source"
)

// The files that are derived from a source, with the version of their form.
// The index is written last: where it is, the objects are.
const (
	objectsKind = "objects-v1"
	indexKind   = "index-v1"
)

const (
	firstRetry = time.Second
	maxRetry   = 5 * time.Minute

	// stalledRetry is for what trying again does not mend: only upstream can.
	stalledRetry = 10 * time.Minute

	// forgetAfter is how long a failure is kept after its time to try again.
	forgetAfter = time.Hour
)

// job is the fetching and indexing of one source, and how it went.
type job struct {
	owners   map[types.NamespacedName]bool
	running  bool
	failures int
	retryAt  time.Time
	err      error
}

// state is the error that says how far the job is.
func (j *job) state(now time.Time, src v1alpha1.Source) error {
	if j.err == nil || j.running && fault.ClassOf(j.err) == fault.Wait {
		return fault.Waiting(v1alpha1.FetchingReason, 0, fmt.Errorf("%s is being fetched", source.Describe(src)))
	}
	left := max(j.retryAt.Sub(now), 0)
	return &fault.Error{
		Class: fault.ClassOf(j.err), Reason: fault.ReasonOf(j.err, v1alpha1.FetchFailedReason), After: left,
		Err: j.err,
	}
}

// done notes how the job went and when to try again.
func (j *job) done(now time.Time, err error) {
	j.running, j.err = false, err
	if err == nil {
		return
	}
	j.failures++
	j.retryAt = now.Add(j.backoff(err))
}

func (j *job) backoff(err error) time.Duration {
	switch fault.ClassOf(err) {
	case fault.Stall:
		return stalledRetry
	case fault.Wait:
		return max(fault.AfterOf(err), firstRetry)
	case fault.Other:
	}
	return min(firstRetry<<min(j.failures-1, 16), maxRetry)
}

// takeOwners returns who asked for the job, in order, and forgets them.
func (j *job) takeOwners() []types.NamespacedName {
	owners := slices.SortedFunc(maps.Keys(j.owners), func(a, b types.NamespacedName) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
	clear(j.owners)
	return owners
}
