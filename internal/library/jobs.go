package library

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

const (
	// forgetFailure is how long a failure is kept after it was due to be tried
	// again, and forgetResult how long a result is kept after it was due to be
	// renewed.
	forgetFailure = time.Hour
	forgetResult  = 24 * time.Hour

	// pruneEvery is how often all jobs are looked through for those to forget: at each
	// call it would take a release of n sources n times n steps.
	pruneEvery = time.Minute
)

// fingerprint identifies a job.
type fingerprint [sha256.Size]byte

// fingerprintOf returns the fingerprint of a value by its JSON.
func fingerprintOf(v any) (fingerprint, error) {
	written, err := json.Marshal(v)
	if err != nil {
		return fingerprint{}, fmt.Errorf("fingerprint: %w", err)
	}
	return sha256.Sum256(written), nil
}

// jobsConfig configures jobs about subjects S with results R.
type jobsConfig[S, R any] struct {
	// work is one attempt. Its context is that of the jobs.
	work func(ctx context.Context, subject S) (R, error)
	// notify is called with the name of each owner when the outcome of a job changed.
	notify func(owner types.NamespacedName)
	// clock tells when a job is due.
	clock clock.PassiveClock

	// same reports whether two results are equal. If it is nil, results are not
	// kept: a job that succeeded is forgotten, and every success is a change.
	same func(a, b R) bool
	// interval after which a result that is kept is renewed.
	interval time.Duration
}

// jobs runs jobs in the background, at most one at a time for a fingerprint.
type jobs[S, R any] struct {
	jobsConfig[S, R]

	ctx context.Context //nolint:containedctx // the lifetime of the jobs

	mu      sync.Mutex
	byKey   map[fingerprint]*job[S, R] // guarded by mu
	pruneAt time.Time                  // guarded by mu
}

func newJobs[S, R any](ctx context.Context, cfg jobsConfig[S, R]) *jobs[S, R] {
	return &jobs[S, R]{jobsConfig: cfg, ctx: ctx, byKey: make(map[fingerprint]*job[S, R])}
}

// ensure starts the job with the key unless it is running or not due, and returns
// a copy of it.
func (j *jobs[S, R]) ensure(owner types.NamespacedName, key fingerprint, subject S) job[S, R] {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.clock.Now()
	j.prune(now)
	known, ok := j.byKey[key]
	if !ok {
		known = &job[S, R]{subject: subject, owners: make(map[types.NamespacedName]bool)}
		j.byKey[key] = known
	}
	known.owners[owner] = true
	if known.isDue(now) {
		known.subject = subject // the newest one of those that are alike
		j.start(known, key)
	}
	return *known
}

// start begins an attempt at a job. It needs mu.
func (j *jobs[S, R]) start(known *job[S, R], key fingerprint) {
	ctx, cancel := context.WithCancel(j.ctx)
	known.running, known.cancel = true, cancel
	go func() {
		defer cancel()
		j.run(ctx, known, key)
	}()
}

// run makes one attempt at a job and notifies its owners if the outcome changed.
// When its context is done, nobody is notified any more.
func (j *jobs[S, R]) run(ctx context.Context, known *job[S, R], key fingerprint) {
	var result R
	err := fault.Guard(func() (err error) {
		result, err = j.work(ctx, known.subject)
		return err
	})
	if ctx.Err() != nil {
		return
	}
	for _, owner := range j.finish(known, key, result, err) {
		j.notify(owner)
	}
}

// finish records the outcome of an attempt and returns the owners to notify.
func (j *jobs[S, R]) finish(known *job[S, R], key fingerprint, result R, err error) []types.NamespacedName {
	j.mu.Lock()
	defer j.mu.Unlock()
	keep := j.same != nil
	changed := !sameText(err, known.err) || err == nil && (!keep || !j.same(result, known.result))
	known.done(j.clock.Now(), err, j.interval)
	if err == nil {
		known.result, known.succeeded = result, true
	}
	if err == nil && !keep && j.byKey[key] == known {
		delete(j.byKey, key)
	}
	if !changed {
		return nil
	}
	return known.sortedOwners()
}

// sameText reports whether two errors have the same message, or both are nil: nobody
// is notified of a source that fails as it did before.
func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.Error() == b.Error()
}

// prune forgets jobs that nobody has asked about for a while. A result is kept
// longer than a failure: the next one who asks need not wait for it. It needs mu.
func (j *jobs[S, R]) prune(now time.Time) {
	if now.Before(j.pruneAt) {
		return
	}
	j.pruneAt = now.Add(pruneEvery)
	for key, known := range j.byKey {
		keep := forgetFailure
		if known.succeeded {
			keep = forgetResult
		}
		if !known.running && now.Sub(known.dueAt) > keep {
			delete(j.byKey, key)
		}
	}
}

// lookAgain makes the jobs of an owner due now, whatever they wait for.
func (j *jobs[S, R]) lookAgain(owner types.NamespacedName) {
	j.makeDue(func(known *job[S, R]) bool { return known.owners[owner] })
}

// doubt has the owner of jobs no longer count as one until it asks for them again.
func (j *jobs[S, R]) doubt(owner types.NamespacedName) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, known := range j.byKey {
		if known.owners[owner] {
			known.owners[owner] = false
		}
	}
}

// abandon takes the owner from the jobs that it did not ask for again since doubt. Those
// that are running and that nobody else asked for end: their slots are for others.
func (j *jobs[S, R]) abandon(owner types.NamespacedName) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, known := range j.byKey {
		asked, ok := known.owners[owner]
		if !ok || asked {
			continue
		}
		delete(known.owners, owner)
		if known.running && len(known.owners) == 0 {
			known.cancel()
			delete(j.byKey, key)
		}
	}
}

// makeDue makes jobs due now, whatever they wait for, and returns their owners.
func (j *jobs[S, R]) makeDue(which func(*job[S, R]) bool) []types.NamespacedName {
	j.mu.Lock()
	defer j.mu.Unlock()
	var owners []types.NamespacedName
	for _, known := range j.byKey {
		if which(known) {
			known.dueAt = j.clock.Now()
			owners = append(owners, known.sortedOwners()...)
		}
	}
	return owners
}

// invalidate makes the jobs about matching subjects due now. A job that is
// running, and one whose result must not be used any more, is forgotten.
func (j *jobs[S, R]) invalidate(matches, forget func(subject S) bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, known := range j.byKey {
		if !matches(known.subject) {
			continue
		}
		known.dueAt = j.clock.Now()
		// A running job may have read what it depends on before that changed.
		if known.running || forget(known.subject) {
			delete(j.byKey, key)
		}
	}
}
