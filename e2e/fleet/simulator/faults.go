package simulator

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Fault is what goes wrong with requests. Of several, the first that matches a request
// is the one for it. The zero value is none.
type Fault struct {
	// Verb and Resource (plural) of the requests. An empty one matches any.
	Verb, Resource string
	// Every is how many of the requests that match come to one that the fault is for:
	// 10 makes it every tenth. Default: all.
	Every int64

	// Latency is added before the answer, or what takes its place.
	Latency time.Duration
	// Status is answered instead, with RetryAfter if that is not 0: 429, 500, 503.
	Status     int
	RetryAfter time.Duration
	// Cut ends the request without an answer.
	Cut bool
	// Silence leaves the request open and without an answer.
	Silence bool
}

// rule is a fault that is in force.
type rule struct {
	Fault

	matched atomic.Int64
}

// applies reports whether the rule is for a request, which it counts.
func (r *rule) applies(kind Kind) bool {
	if r.Verb != "" && r.Verb != kind.Verb || r.Resource != "" && r.Resource != kind.Resource {
		return false
	}
	return r.Every <= 1 || r.matched.Add(1)%r.Every == 0
}

// faultFor returns the fault of a request, nil for none.
func (c *Cluster) faultFor(kind Kind) *Fault {
	for _, rules := range []*[]*rule{c.faults.Load(), c.fleet.faults.Load()} {
		if rules == nil {
			continue
		}
		for _, r := range *rules {
			if r.applies(kind) {
				return &r.Fault
			}
		}
	}
	return nil
}

// happen has a fault happen to a request. It reports whether the request is over.
func (f *Fault) happen(ctx context.Context, a *answer) bool {
	if f.Latency > 0 {
		pause(ctx, f.Latency)
	}
	switch {
	case f.Silence:
		<-ctx.Done()
		return true
	case f.Cut:
		panic(http.ErrAbortHandler)
	case f.Status != 0:
		if f.RetryAfter > 0 {
			a.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())))
		}
		a.status(&metav1.Status{
			Status: metav1.StatusFailure, Code: int32(f.Status), //nolint:gosec // An HTTP status.
			Reason: reasonOf(f.Status), Message: "simulated: " + http.StatusText(f.Status),
		})
		return true
	}
	return ctx.Err() != nil
}

// pause waits for a time, or until the client gives up.
func pause(ctx context.Context, lasting time.Duration) {
	timer := time.NewTimer(lasting)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// reasonOf returns what an API server calls a status that it answers by itself.
func reasonOf(status int) metav1.StatusReason {
	switch status {
	case http.StatusTooManyRequests:
		return metav1.StatusReasonTooManyRequests
	case http.StatusInternalServerError:
		return metav1.StatusReasonInternalError
	case http.StatusServiceUnavailable:
		return metav1.StatusReasonServiceUnavailable
	case http.StatusGatewayTimeout:
		return metav1.StatusReasonTimeout
	}
	return metav1.StatusReasonUnknown
}
