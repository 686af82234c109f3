package oci

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/fault"
)

// defaultPorts are the ports of the schemes that are spoken.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// answer is a response and where it came from.
type answer struct {
	*http.Response
	from *url.URL
}

// Do answers a request of the library with a response whose body is bounded, or
// with an error for every status but success: the library's own words would
// repeat what the registry wrote.
func (r *repository) Do(req *http.Request) (*http.Response, error) {
	resp, err := r.exchange(req)
	if err != nil {
		return nil, err
	}
	resp.Body = limit(resp.Body, r.cfg.MaxManifest)
	resp.Request = req // links are relative to it, and messages name it
	return resp, nil
}

// exchange sends req as the session's identity and returns the response if its
// status is success. Its body ends with an error when it stalls.
func (r *repository) exchange(req *http.Request) (*http.Response, error) {
	ctx, cut := context.WithCancelCause(req.Context())
	got, err := r.authorized(req.WithContext(ctx))
	if err == nil {
		if err = r.check(req.URL, got); err != nil {
			_ = got.Body.Close()
		}
	}
	if err != nil {
		cut(context.Canceled)
		return nil, failed(err)
	}
	got.Body = newRawBody(ctx, got.Response, r.cfg.StallTimeout, cut)
	return got.Response, nil
}

// authorized sends req, and once more if the registry asks who we are.
func (r *repository) authorized(req *http.Request) (answer, error) {
	before := r.token(r.name)
	got, err := r.follow(req, before)
	if err != nil || got.StatusCode != http.StatusUnauthorized || !sameOrigin(req.URL, got.from) {
		return got, err
	}
	value, err := r.authorize(req.Context(), challengeOf(got.Header))
	if err != nil {
		_ = got.Body.Close()
		return answer{}, err
	}
	if value == "" || value == before {
		return got, nil
	}
	_ = got.Body.Close()
	if got, err = r.follow(req, value); err != nil {
		return answer{}, err
	}
	if got.StatusCode != http.StatusUnauthorized {
		r.keepToken(r.name, value)
	}
	return got, nil
}

// follow sends req with the given Authorization and follows redirects, without
// it from the first one that leaves the origin.
func (s *session) follow(req *http.Request, authorization string) (answer, error) {
	u := req.URL
	for redirects := 0; ; redirects++ {
		resp, err := s.send(req, u, authorization)
		if err != nil {
			return answer{}, hop(req.URL, u, plain(req.Context(), err))
		}
		if !redirected(resp) || req.Method == http.MethodPost {
			return answer{resp, u}, nil
		}
		_ = resp.Body.Close()
		if redirects == s.cfg.MaxRedirects {
			return answer{}, fault.Terminalf(v1alpha1.LimitExceededReason, "more than %d redirects", s.cfg.MaxRedirects)
		}
		if u, err = redirect(u, resp.Header.Get("Location")); err != nil {
			return answer{}, err
		}
		if !sameOrigin(req.URL, u) {
			authorization = ""
		}
	}
}

// send sends req to u. It goes to the transport and not through a http.Client,
// whose errors hold URLs, and that follows redirects by other rules.
func (s *session) send(req *http.Request, u *url.URL, authorization string) (*http.Response, error) {
	sent := req.Clone(req.Context())
	sent.URL, sent.Host = u, u.Host
	sent.Header.Set("User-Agent", s.cfg.UserAgent)
	if authorization != "" {
		sent.Header.Set("Authorization", authorization)
	}
	return s.transportTo(u).RoundTrip(sent)
}

func redirected(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// redirect returns where a redirect from one URL leads. It must keep the scheme,
// and without TLS the host too: anybody on the way could have sent it.
func redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || to.Host == "" {
		return nil, fault.Failed(v1alpha1.FetchFailedReason, errors.New("redirected to an invalid url"))
	}
	if to.Scheme != from.Scheme {
		return nil, fault.Terminalf(v1alpha1.SourceDeniedReason, "redirected to another scheme, %s", origin(to))
	}
	if from.Scheme == "http" && !sameOrigin(from, to) {
		return nil, fault.Terminalf(v1alpha1.SourceDeniedReason,
			"redirected without TLS to another host, %s", origin(to))
	}
	return to, nil
}

// sameOrigin reports whether two URLs have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	port := func(u *url.URL) string { return cmp.Or(u.Port(), defaultPorts[u.Scheme]) }
	return a.Scheme == b.Scheme && strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// origin returns the scheme and the host of u. The path of a redirect is not
// shown: it may be signed.
func origin(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// hop says which host err is about when a redirect led away from the first one.
func hop(first, u *url.URL, err error) error {
	if err == nil || sameOrigin(first, u) {
		return err
	}
	return fmt.Errorf("redirected to %s: %w", origin(u), err)
}
