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
	file.ReadCloser = limit(&stopping{ReadCloser: file.ReadCloser, stop: stop}, name, file.from, s.cfg.MaxBytes)
	return file, nil
}

// download follows the redirects from u on and returns the body of the response
// that ends them.
func (s *Sources) download(ctx context.Context, u *url.URL, at span, cancel context.CancelCauseFunc) (opened, error) {
	redirects := httpclient.Redirects{Max: s.cfg.MaxRedirects, Advice: "use the url that it leads to"}
	resp, end, err := redirects.Follow(ctx, u, func(u *url.URL) (*http.Response, error) { return s.get(ctx, u, at) })
	if err != nil {
		return opened{}, err
	}
	file, err := s.body(ctx, resp, at, cancel)
	return file, httpclient.AtRedirect(u, end, err)
}

// get asks for u. It goes to the transport and not through a http.Client, whose
// errors hold URLs, and that follows redirects by other rules.
func (s *Sources) get(ctx context.Context, u *url.URL, at span) (*http.Response, error) {
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
	raw := httpclient.NewBody(ctx, resp.Body, s.cfg.StallTimeout, cancel)
	raw.Expect(file.from, resp.ContentLength)
	file.ReadCloser, err = decode(raw, resp.Header.Get("Content-Encoding"), s.cfg.MaxRatio)
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
		answered := errors.New("the server answered " + httpclient.StatusText(resp.StatusCode))
		return opened{}, httpclient.StatusError(resp, s.now(), answered)
	}
	if size := resp.ContentLength; size > s.cfg.MaxBytes-file.from {
		return opened{}, fault.Stallf(v1alpha1.LimitExceededReason,
			"%d bytes are more than the limit of %d bytes", file.from+size, s.cfg.MaxBytes)
	}
	return file, nil
}
