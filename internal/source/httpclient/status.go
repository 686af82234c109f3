package httpclient

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Bounds of the time that a server may ask to wait before the next request.
const (
	minRetryAfter     = time.Second
	maxRetryAfter     = 10 * time.Minute
	defaultRetryAfter = 30 * time.Second
)

// StatusText names a status in the words of RFC 9110, such as "404 Not Found":
// those of a server are not trusted with a message.
func StatusText(code int) string {
	return fmt.Sprintf("%d %s", code, cmp.Or(http.StatusText(code), "(unknown)"))
}

// Failed returns err as one that is tried again, a Retry with the reason
// FetchFailed, unless it has a class already.
func Failed(err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	return fault.Retry(v1alpha1.FetchFailedReason, err)
}

// StatusError returns err, the error of an unsuccessful response resp, with the
// class and the reason of its status at the time now: Wait and Throttled for 429
// and 503, with the time that Retry-After asks for, and Retry and FetchFailed for
// all others. The time is at least 1 s and at most 10 min, and 30 s without a
// Retry-After.
func StatusError(resp *http.Response, now time.Time, err error) error {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return fault.Wait(v1alpha1.ThrottledReason, retryAfter(resp.Header.Get("Retry-After"), now), err)
	}
	return fault.Retry(v1alpha1.FetchFailedReason, err)
}

// retryAfter returns the time that a Retry-After header asks for, in seconds or
// as a date (RFC 9110 section 10.2.3), within bounds.
func retryAfter(header string, now time.Time) time.Duration {
	after := defaultRetryAfter
	if seconds, err := strconv.ParseInt(header, 10, 64); err == nil {
		after = time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		after = at.Sub(now)
	}
	return max(minRetryAfter, min(after, maxRetryAfter))
}
