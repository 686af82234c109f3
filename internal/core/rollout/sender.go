package rollout

import (
	"context"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// parallel is the most requests that one pass has open at once.
const parallel = 8

// sender begins the requests of a pass: as many at once as it may, as long as it may.
type sender struct {
	// slice ends when the pass has to begin no more requests.
	slice context.Context //nolint:containedctx // it lives as long as the pass
	// guard is that of the Rollout or the Removal.
	guard func() error
}

// allowed returns why the pass must not write any more; nil while it may.
func (s sender) allowed() error {
	if s.guard == nil {
		return nil
	}
	if err := s.guard(); err != nil {
		return stoppedError{err}
	}
	return nil
}

// forEach calls do for every index below n, a bounded number at once, and joins
// the errors in the order of the indices. It begins no more calls once one
// returned an error that ends the pass, the slice of the pass is over, or the
// context is done.
func (s sender) forEach(ctx context.Context, n int, do func(context.Context, int) error) error {
	errs := make([]error, n)
	var begun atomic.Int32
	var stopped atomic.Bool
	mayBegin := func() bool { return !stopped.Load() && ctx.Err() == nil && s.slice.Err() == nil }
	var calls errgroup.Group
	calls.SetLimit(parallel)
	for i := 0; i < n && mayBegin(); i++ {
		calls.Go(func() error {
			if !mayBegin() { // it may have waited for one of the others
				return nil
			}
			begun.Add(1)
			errs[i] = fault.Guard(func() error { return do(ctx, i) })
			if endsPass(errs[i]) {
				stopped.Store(true)
			}
			return nil
		})
	}
	_ = calls.Wait() // the functions return no error: errs has them in order
	if i := slices.IndexFunc(errs, isStopped); i >= 0 {
		return errs[i]
	}
	if int(begun.Load()) < n && ctx.Err() == nil && s.slice.Err() != nil {
		errs = append(errs, fault.Wait(v1alpha1.ProgressingReason, soon, errSlice))
	}
	return fault.Join(append(errs, ctx.Err())...)
}

// forEachWrite is forEach for what a pass is for. If the slice is over it gets another
// one: lists may have taken all of it, and would again in the next pass.
func (s sender) forEachWrite(ctx context.Context, n int, do func(context.Context, int) error) error {
	if s.slice.Err() != nil && ctx.Err() == nil {
		slice, cancel := context.WithTimeout(ctx, sliceTime)
		defer cancel()
		s.slice = slice
	}
	return s.forEach(ctx, n, do)
}
