package oci

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry/remote/auth"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

const (
	// maxTokenAnswer bounds what a token server answers, in bytes.
	maxTokenAnswer = 32 << 10
	// clientID names us to token servers that speak OAuth 2.
	clientID = "cluster-api-addon-provider-bundle"
)

// attempt is one request of a repository. The library answers challenges and follows
// redirects, and each of its requests comes through here: its own errors hold URLs, and
// what registries and token servers wrote.
type attempt struct {
	*repository
	// asked is the URL of the request.
	asked *url.URL
	// issuer is the token server that has answered, if one has.
	issuer *url.URL
	// failed is why the attempt failed, unless it is the library that refused it.
	failed error
}

// authorized sends req, and again with credentials if the registry asks for them.
func (r *repository) authorized(req *http.Request) (*http.Response, error) {
	a := &attempt{repository: r, asked: req.URL}
	client := &auth.Client{
		Client: &http.Client{Transport: a, CheckRedirect: func(next *http.Request, _ []*http.Request) error {
			next.Header.Del("Referer") // a URL may be signed
			return nil
		}},
		Header: http.Header{"User-Agent": {r.cfg.UserAgent}},
		Credential: func(context.Context, string) (auth.Credential, error) {
			return r.identity.login.credential(), nil // a session is for one registry
		},
		Cache: r.tokens, ClientID: clientID, BlockedRealmPrefixes: blockedRealms(r.current.Load().TokenCIDRs),
	}
	resp, err := client.Do(req.WithContext(auth.AppendRepositoryScope(req.Context(), r.endpoint.ref, auth.ActionPull)))
	if err == nil {
		return resp, nil
	}
	return nil, a.explain()
}

// explain returns why the attempt failed.
func (a *attempt) explain() error {
	switch {
	case a.failed != nil:
		return a.failed
	case a.issuer != nil:
		return fault.Retry(v1alpha1.FetchFailedReason, fmt.Errorf("%s: the answer has no token that can be sent", tokenServer(a.issuer)))
	}
	return badRealm()
}

func badRealm() error {
	return fault.Stallf(v1alpha1.SourceDeniedReason, "the registry names a token server that is not used: "+
		"it is no URL, it has no TLS, or it has a private address that is not in addresses.tokenServers of the manager's configuration")
}

func tokenServer(u *url.URL) string { return "token server " + httpclient.Origin(u) }

// credential returns the login as the library has it.
func (l Login) credential() auth.Credential {
	return auth.Credential{
		Username: l.Username, Password: l.Password, RefreshToken: l.IdentityToken, AccessToken: l.RegistryToken,
	}
}

// RoundTrip sends a request of the library to the registry, to its token server, or to
// where either leads.
func (a *attempt) RoundTrip(req *http.Request) (*http.Response, error) {
	first, followed := firstRequest(req)
	var resp *http.Response
	var err error
	if *first == *a.asked {
		resp, err = a.toRegistry(req, followed)
	} else {
		resp, err = a.toTokenServer(req, first, followed)
	}
	if err != nil {
		a.failed = httpclient.Failed(err)
	}
	return resp, err
}

// firstRequest returns the URL of the request that redirects led to req from, and how many.
func firstRequest(req *http.Request) (first *url.URL, followed int) {
	for ; req.Response != nil; followed++ {
		req = req.Response.Request
	}
	return req.URL, followed
}

func (a *attempt) toRegistry(req *http.Request, followed int) (*http.Response, error) {
	if _, token, _ := strings.Cut(req.Header.Get("Authorization"), " "); a.issuer != nil && !httpclient.IsHeaderText(token) {
		return nil, fmt.Errorf("%s: the answer has no token that can be sent", tokenServer(a.issuer))
	}
	resp, err := a.send(req, a.asked, followed)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !httpclient.SameOrigin(a.asked, req.URL) {
		return resp, err
	}
	// The library looks at the first challenge only, and many send one for passwords too.
	challenges := resp.Header.Values("WWW-Authenticate")
	slices.SortStableFunc(challenges, func(x, _ string) int { return -len(schemeOf(x, "bearer")) })
	if len(challenges) > 0 && schemeOf(challenges[0], "basic") != "" && a.identity.login.Username == "" {
		_ = resp.Body.Close()
		return nil, a.refused("the registry", resp.StatusCode)
	}
	return resp, nil
}

// schemeOf returns the scheme of a challenge if it is that one, else nothing.
func schemeOf(challenge, scheme string) string {
	if got, _, _ := strings.Cut(strings.TrimSpace(challenge), " "); strings.EqualFold(got, scheme) {
		return got
	}
	return ""
}

// toTokenServer returns an answer only if it may be one with a token.
func (a *attempt) toTokenServer(req *http.Request, first *url.URL, followed int) (*http.Response, error) {
	if req.URL.Host == "" || req.URL.User != nil || !httpclient.IsHTTP(req.URL) {
		return nil, badRealm()
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(context.Canceled)
	resp, err := a.send(req.WithContext(ctx), first, followed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenServer(first), err)
	}
	if httpclient.IsRedirect(resp) {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusOK:
		a.issuer = first
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, a.refused("the "+tokenServer(first), resp.StatusCode)
	default:
		return nil, fault.Wrap(tokenServer(first), statusFault(resp, a.now()))
	}
	body := httpclient.NewBody(ctx, resp.Body, a.cfg.pace(), cancel)
	content, err := io.ReadAll(httpclient.Limit(body, 0, maxTokenAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tokenServer(first), err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(content))
	return resp, nil
}

// send sends req, to which so many redirects led from first, and refuses an answer that is
// a redirect which must not be followed.
func (a *attempt) send(req *http.Request, first *url.URL, followed int) (*http.Response, error) {
	redirects := httpclient.Redirects{Max: a.cfg.MaxRedirects}
	if a.identity.scheme == "http" {
		redirects.Advice = a.remedies().TLS
	}
	resp, err := a.transportTo(req.URL).RoundTrip(req)
	if err != nil {
		err = httpclient.AtRedirect(first, req.URL, httpclient.Sanitize(req.Context(), err))
		return nil, a.remedies().OfError(a.identity.scheme, err)
	}
	if err := redirects.Check(resp, req.URL, followed); err != nil {
		_ = resp.Body.Close()
		return nil, a.remedies().OfError(a.identity.scheme, err)
	}
	if httpclient.IsRedirect(resp) {
		_ = resp.Body.Close()
		resp.Body = http.NoBody // what follows it would read some of the body first, however slowly it comes
	}
	return resp, nil
}
