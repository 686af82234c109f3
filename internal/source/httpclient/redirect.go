package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// defaultPorts are the ports of the schemes that are spoken.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// Redirects configures how the redirects of one request are followed.
type Redirects struct {
	// Max bounds them. Zero allows none.
	Max int

	// Advice ends the message about one that is not followed. It may be empty.
	Advice string
}

// Follow calls send with first and then with every URL that an answer leads to.
// It returns the first answer that is not a redirect, whose body is still open, and
// the URL that it came from.
//
// The errors of send are sanitized for ctx and name the host that they are about.
// More redirects than Max are a Stall, LimitExceeded. A redirect must keep the
// scheme, and without TLS the host too, since anyone on the path could have sent
// it: else it is a Stall, SourceDenied. One to no URL at all is FetchFailed.
func (r Redirects) Follow(
	ctx context.Context, first *url.URL, send func(*url.URL) (*http.Response, error),
) (*http.Response, *url.URL, error) {
	u := first
	for redirects := 0; ; redirects++ {
		resp, err := send(u)
		if err != nil {
			return nil, nil, AtRedirect(first, u, Sanitize(ctx, err))
		}
		if !IsRedirect(resp) {
			return resp, u, nil
		}
		_ = resp.Body.Close()
		if u, err = r.next(u, resp, redirects); err != nil {
			return nil, nil, err
		}
	}
}

// Check returns an error, as Follow does, when resp, the answer to a request to from, is a
// redirect that may not be followed behind so many others.
func (r Redirects) Check(resp *http.Response, from *url.URL, followed int) error {
	if !IsRedirect(resp) {
		return nil
	}
	_, err := r.next(from, resp, followed)
	return err
}

// next returns where a redirect from one URL leads.
func (r Redirects) next(from *url.URL, resp *http.Response, followed int) (*url.URL, error) {
	if followed >= r.Max {
		return nil, fault.Stallf(v1alpha1.LimitExceededReason, "more than %d redirects", r.Max)
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || to.Host == "" {
		return nil, fault.Retry(v1alpha1.FetchFailedReason, errors.New("redirected to an invalid url"))
	}
	if to.Scheme != from.Scheme {
		return nil, r.denied("redirected to another scheme", to)
	}
	if from.Scheme == "http" && !SameOrigin(from, to) {
		return nil, r.denied("redirected without TLS to another host", to)
	}
	return to, nil
}

func (r Redirects) denied(why string, to *url.URL) error {
	text := why + ", " + Origin(to)
	if r.Advice != "" {
		text += ": " + r.Advice
	}
	return fault.Stall(v1alpha1.SourceDeniedReason, errors.New(text))
}

// IsRedirect reports whether an answer leads to another URL.
func IsRedirect(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// IsHTTP reports whether the scheme of u is http or https.
func IsHTTP(u *url.URL) bool { return defaultPorts[u.Scheme] != "" }

// SameOrigin reports whether two URLs have scheme, host and port in common.
func SameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string { return cmp.Or(u.Port(), defaultPorts[u.Scheme]) }
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// Origin returns the scheme and the host of u, for messages. The path of a
// redirect is not shown: it may be signed.
func Origin(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// AtRedirect adds to err the host that it is about if a redirect led away from the
// first one.
// It returns nil for nil.
func AtRedirect(first, u *url.URL, err error) error {
	if err == nil || SameOrigin(first, u) {
		return err
	}
	return fmt.Errorf("redirected to %s: %w", Origin(u), err)
}
