package oci

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// statusError is the error of an unsuccessful response.
type statusError struct {
	code int
	text string
	// missing is set if the registry does not have what was asked for.
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

// check returns what the status of an answer to a request to u means, nil for success.
func (r *repository) check(u *url.URL, resp *http.Response) error {
	code, from := resp.StatusCode, resp.Request.URL
	denied := code == http.StatusUnauthorized || code == http.StatusForbidden
	switch {
	case code == http.StatusOK || code == http.StatusPartialContent:
		return nil
	case denied && httpclient.SameOrigin(u, from):
		return r.refused("the registry", code)
	case code == http.StatusNotFound:
		return httpclient.AtRedirect(u, from, missing("not found ("+httpclient.StatusText(code)+")"))
	}
	err := r.remedies().OfStatus(r.identity.scheme, code, statusFault(resp, r.now()))
	return httpclient.AtRedirect(u, from, err)
}

// statusFault returns the error of a status that has no meaning of its own for
// registries.
func statusFault(resp *http.Response, now time.Time) error {
	text := "the server answered " + httpclient.StatusText(resp.StatusCode)
	return httpclient.StatusError(resp, now, &statusError{code: resp.StatusCode, text: text})
}

func statusFailed(code int, text string) error {
	return fault.Retry(v1alpha1.FetchFailedReason, &statusError{code: code, text: text})
}

// missing returns the error of a registry that does not have what was asked for.
func missing(text string) error {
	return fault.Retry(v1alpha1.FetchFailedReason,
		&statusError{code: http.StatusNotFound, text: text, missing: true})
}
