package rollout

import (
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/manifest"
)

var (
	// ErrThrottled is in the error of a request that the API server refused because
	// there are too many (HTTP 429). A pass that gets it starts no more requests.
	ErrThrottled = errors.New("rate-limited")

	// ErrUnanswered is in the error of a request that the API server did not answer in
	// time. A pass that gets it starts no more requests: others need its worker.
	ErrUnanswered = errors.New("the API server did not answer in time")

	// ErrImmutable is in the error of an apply that the API server refused since a
	// field cannot be changed.
	ErrImmutable = errors.New("a field of it cannot be changed")

	// errStopped is in the error of a pass that its Guard ended.
	errStopped = errors.New("the pass was stopped")

	// errSlice is in the error of a pass whose time is up. The next one goes on.
	errSlice = errors.New("the rollout goes on")
)

const (
	// kindRetry is when to look again for a kind that is not served: no watch
	// reports it.
	kindRetry = 5 * time.Second

	// goneRetry is when to look again for an object that is being deleted.
	goneRetry = 5 * time.Second

	// soon is when to go on where nothing has to be waited for.
	soon = time.Millisecond
)

// errKindNotServed is in every error of KindNotServed.
var errKindNotServed = errors.New("the workload cluster does not serve the kind")

// errKindGoes is in the error for an object whose definition is being deleted.
var errKindGoes = errors.New("its CustomResourceDefinition is being deleted")

// KindNotServed returns the error for an object whose kind the workload cluster
// does not serve: a fault.Wait of five seconds with KindNotServedReason.
func KindNotServed(ref manifest.Ref) error {
	return fault.Wait(v1alpha1.KindNotServedReason, kindRetry, fmt.Errorf(
		"%s: %w %s in %s: is its CustomResourceDefinition installed?",
		ref, errKindNotServed, ref.Kind, schema.GroupVersion{Group: ref.Group, Version: ref.Version}))
}

// endsPass reports whether no more requests are started after the error.
func endsPass(err error) bool {
	return errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnanswered) || hadToEnd(err)
}

// hadToEnd reports whether a pass ended that nothing is wrong with: it was stopped, or
// its slice is over.
func hadToEnd(err error) bool {
	return errors.Is(err, errStopped) || errors.Is(err, errSlice)
}

// stoppedError is why a pass had to stop, with the words and the class of that.
type stoppedError struct{ error }

// Unwrap returns why.
func (s stoppedError) Unwrap() error { return s.error }

// Is has it be errStopped.
func (s stoppedError) Is(target error) bool { return target == errStopped }

// isStopped reports whether err is that of a pass that had to stop.
func isStopped(err error) bool { return errors.Is(err, errStopped) }
