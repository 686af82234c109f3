package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// openHTTPS opens the file at a URL, redirects followed.
func (s *Sources) openHTTPS(ctx context.Context, rawURL string, at span) (opened, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return opened{}, fault.Stall(v1alpha1.SourceInvalidReason, errors.New("the source's url cannot be parsed"))
	}
	name := describeURL(u)
	if !httpclient.IsHTTP(u) || u.Host == "" {
		return opened{}, fault.Stallf(v1alpha1.SourceInvalidReason, "%s: not an absolute http or https URL", name)
	}
	if err := s.checkAccess(u); err != nil {
		return opened{}, fault.Wrap(name, err)
	}
	total, stopTotal := httpclient.WithTimeout(ctx, s.cfg.DownloadTimeout)
	ctx, cancel := context.WithCancelCause(total)
	stop := func() { cancel(context.Canceled); stopTotal() }

	file, err := s.download(ctx, u, at, cancel)
	if errors.Is(err, errFromStart) {
		file, err = s.download(ctx, u, span{}, cancel)
	}
	if err != nil {
		stop()
		return opened{}, fetchFailed(name, err)
	}
	file.ReadCloser = limit(&stopping{ReadCloser: file.ReadCloser, stop: stop}, name, file.from, s.current.Load().MaxBytes)
	return file, nil
}

// download follows the redirects from u on and returns the body of the response
// that ends them.
func (s *Sources) download(ctx context.Context, u *url.URL, at span, cancel context.CancelCauseFunc) (opened, error) {
	redirects := httpclient.Redirects{Max: s.cfg.MaxRedirects, Advice: "use the url that it leads to"}
	resp, end, err := redirects.Follow(ctx, u, func(to *url.URL) (*http.Response, error) { return s.get(ctx, u, to, at) })
	if err != nil {
		return opened{}, s.remedies().OfError(u.Scheme, err)
	}
	file, err := s.body(ctx, resp, at, cancel)
	return file, httpclient.AtRedirect(u, end, s.remedies().OfStatus(end.Scheme, resp.StatusCode, err))
}

// get asks for u, which the source names as first or which first leads to. It goes
// to the transport and not through a http.Client, whose errors hold URLs, and that
// follows redirects by other rules.
func (s *Sources) get(ctx context.Context, first, u *url.URL, at span) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", http.NoBody)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	at.ask(req.Header)
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	if !httpclient.SameOrigin(first, u) {
		return s.transport.RoundTrip(req)
	}
	if login := s.access.Authorization(); login != "" {
		req.Header.Set("Authorization", login)
	}
	if s.certified != nil {
		return s.certified.RoundTrip(req)
	}
	return s.transport.RoundTrip(req)
}

// body returns the body of resp, decoded, or what its status means.
func (s *Sources) body(
	ctx context.Context, resp *http.Response, at span, cancel context.CancelCauseFunc,
) (opened, error) {
	file, err := s.checkResponse(resp, at)
	if err != nil {
		_ = resp.Body.Close()
		return opened{}, err
	}
	raw := httpclient.NewBody(ctx, resp.Body, s.cfg.pace(), cancel)
	raw.Expect(file.from, resp.ContentLength)
	file.ReadCloser, err = decode(raw, resp.Header.Get("Content-Encoding"), s.current.Load().MaxRatio)
	if err != nil {
		_ = raw.Close()
		return opened{}, err
	}
	return file, nil
}

// checkResponse returns where the body of resp begins, or an error unless resp
// is a file of a size that is allowed.
func (s *Sources) checkResponse(resp *http.Response, at span) (opened, error) {
	file := opened{}
	switch {
	case resp.StatusCode == http.StatusOK:
		file.validator = validatorOf(resp)
	case at.offset > 0 && resp.StatusCode == http.StatusPartialContent && at.answered(resp):
		file.from, file.validator = at.offset, at.validator
	case at.offset > 0 && (resp.StatusCode == http.StatusPartialContent ||
		resp.StatusCode == http.StatusRequestedRangeNotSatisfiable):
		return opened{}, errFromStart
	default:
		answered := errors.New("the server answered " + httpclient.StatusText(resp.StatusCode) +
			s.access.Denied(resp.StatusCode))
		return opened{}, httpclient.StatusError(resp, s.now(), answered)
	}
	if size, limit := resp.ContentLength, s.current.Load().MaxBytes; size > limit-file.from {
		return opened{}, fault.Stallf(v1alpha1.LimitExceededReason,
			"%d bytes are more than the limit of %d bytes", file.from+size, limit)
	}
	return file, nil
}

// checkAccess returns an error unless what is secret may be sent to u.
func (s *Sources) checkAccess(u *url.URL) error {
	switch {
	case u.Scheme == "http" && (u.User != nil || !s.access.IsEmpty()):
		return fault.Stallf(v1alpha1.SourceInvalidReason,
			"secretRef, caRef and credentials in the url need TLS: use an https URL")
	case u.User != nil && s.access.Authorization() != "":
		return fault.Stallf(v1alpha1.SourceInvalidReason, "there are credentials in the url beside those of secretRef: remove them")
	}
	return nil
}

// remedies are what helps where a server and we do not agree about TLS.
func (s *Sources) remedies() httpclient.Remedies {
	if s.access.RootCAs != nil {
		return httpclient.Remedies{Authority: "it is none of those in " + s.access.CAsFrom + ", key ca.crt"}
	}
	return httpclient.Remedies{
		NoTLS: "use a url with http://", TLS: "use a url with https://",
		Authority: "name a Secret with its authority, key ca.crt, in caRef",
	}
}
