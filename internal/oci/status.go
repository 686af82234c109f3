package oci

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// Bounds of the time that a server may ask to be left alone.
const (
	minRetryAfter     = time.Second
	maxRetryAfter     = 10 * time.Minute
	defaultRetryAfter = 30 * time.Second
)

// statusError is an answer that is no success.
type statusError struct {
	code int
	text string
	// missing is true where the registry says that there is no such thing.
	missing bool
}

func (e *statusError) Error() string { return e.text }

// Is has what is missing satisfy errors.Is(err, fs.ErrNotExist).
func (e *statusError) Is(target error) bool { return e.missing && target == fs.ErrNotExist }

// hasStatus reports whether err is an answer with the given status.
func hasStatus(err error, code int) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.code == code
}

// statusText names a status in the words of RFC 9110: those of a server are not
// trusted with a message.
func statusText(code int) string {
	return fmt.Sprintf("%d %s", code, cmp.Or(http.StatusText(code), "(unknown)"))
}

// check returns what the status of an answer to a request to u means, nil for success.
func (r *repository) check(u *url.URL, got answer) error {
	code := got.StatusCode
	denied := code == http.StatusUnauthorized || code == http.StatusForbidden
	switch {
	case code == http.StatusOK || code == http.StatusPartialContent:
		return nil
	case denied && sameOrigin(u, got.from):
		return r.refused("the registry", code)
	case code == http.StatusNotFound:
		return hop(u, got.from, missing("not found ("+statusText(code)+")"))
	}
	return hop(u, got.from, statusFault(got, r.now()))
}

// statusFault returns what a status means that says nothing about registries.
func statusFault(got answer, now time.Time) error {
	text := "the server answered " + statusText(got.StatusCode)
	if got.StatusCode == http.StatusTooManyRequests || got.StatusCode == http.StatusServiceUnavailable {
		after := retryAfter(got.Header.Get("Retry-After"), now)
		return fault.Waiting(v1alpha1.ThrottledReason, after, &statusError{code: got.StatusCode, text: text})
	}
	return statusFailed(got.StatusCode, text)
}

// refused says that who, the registry or its token server, did not let us in.
func (s *session) refused(who string, code int) error {
	if s.identity.login == (Login{}) {
		return statusFailed(code, fmt.Sprintf("%s wants credentials (%s), and there are none for it: "+
			"check secretRef and the repository", who, statusText(code)))
	}
	return statusFailed(code, fmt.Sprintf("%s refused the credentials (%s)", who, statusText(code)))
}

func statusFailed(code int, text string) error {
	return fault.Failed(v1alpha1.FetchFailedReason, &statusError{code: code, text: text})
}

// missing says that a registry does not have what was asked for.
func missing(text string) error {
	return fault.Failed(v1alpha1.FetchFailedReason,
		&statusError{code: http.StatusNotFound, text: text, missing: true})
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
