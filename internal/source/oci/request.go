package oci

import (
	"context"
	"net/http"
	"net/url"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

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
	resp.Body = httpclient.Limit(resp.Body, 0, r.cfg.MaxManifest)
	resp.Request = req // links are relative to it, and messages name it
	return resp, nil
}

// exchange sends req as the session's identity and returns the response if its
// status is success. Its body ends with an error when it stalls.
func (r *repository) exchange(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	got, err := r.authorized(req.WithContext(ctx))
	if err == nil {
		if err = r.check(req.URL, got); err != nil {
			_ = got.Body.Close()
		}
	}
	if err != nil {
		cancel(context.Canceled)
		return nil, httpclient.Failed(err)
	}
	got.Body = httpclient.NewBody(ctx, got.Body, r.cfg.pace(), cancel)
	return got.Response, nil
}

// authorized sends req, and again with credentials if the registry asks for them.
func (r *repository) authorized(req *http.Request) (answer, error) {
	before := r.token(r.name)
	got, err := r.follow(req, before)
	if err != nil || got.StatusCode != http.StatusUnauthorized || !httpclient.SameOrigin(req.URL, got.from) {
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
// it from the first one that leaves the origin. What is posted goes nowhere else.
func (r *repository) follow(req *http.Request, authorization string) (answer, error) {
	if req.Method == http.MethodPost {
		resp, err := r.send(req, req.URL, authorization) //nolint:bodyclose // the caller closes it
		if err != nil {
			return answer{}, r.remedies().OfError(r.identity.scheme, httpclient.Sanitize(req.Context(), err))
		}
		return answer{resp, req.URL}, nil
	}
	redirects := httpclient.Redirects{Max: r.cfg.MaxRedirects}
	if r.identity.scheme == "http" {
		redirects.Advice = r.remedies().TLS
	}
	//nolint:bodyclose // the caller closes it
	resp, end, err := redirects.Follow(req.Context(), req.URL, func(u *url.URL) (*http.Response, error) {
		if !httpclient.SameOrigin(req.URL, u) {
			authorization = ""
		}
		return r.send(req, u, authorization)
	})
	if err != nil {
		return answer{}, r.remedies().OfError(r.identity.scheme, err)
	}
	return answer{resp, end}, nil
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
