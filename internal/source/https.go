package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
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

// Why a download ends before its end.
var (
	errTooLong = errors.New("the download takes too long")
	errStalled = errors.New("the server stopped sending")
)

// defaultPorts are the ports of the schemes that are accepted.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// openHTTPS opens the file at a URL, redirects followed.
func (s *Sources) openHTTPS(ctx context.Context, rawURL string, at span) (opened, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return opened{}, fault.Terminal(v1alpha1.SourceInvalidReason, errors.New("the source's url cannot be parsed"))
	}
	name := describeURL(u)
	if _, ok := defaultPorts[u.Scheme]; !ok || u.Host == "" {
		return opened{}, fault.Terminalf(v1alpha1.SourceInvalidReason, "%s: not an absolute http or https URL", name)
	}
	total, stopTotal := context.WithTimeoutCause(ctx, s.cfg.DownloadTimeout,
		fmt.Errorf("%w: more than %v", errTooLong, s.cfg.DownloadTimeout))
	ctx, cut := context.WithCancelCause(total)
	stop := func() { cut(context.Canceled); stopTotal() }

	file, err := s.download(ctx, u, at, cut)
	if errors.Is(err, errFromStart) {
		file, err = s.download(ctx, u, span{}, cut)
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
func (s *Sources) download(ctx context.Context, u *url.URL, at span, cut context.CancelCauseFunc) (opened, error) {
	first := u
	for redirects := 0; ; redirects++ {
		resp, err := s.get(ctx, u, at)
		if err != nil {
			return opened{}, hop(first, u, Plain(ctx, err))
		}
		if !redirected(resp) {
			file, err := s.body(ctx, resp, at, cut)
			return file, hop(first, u, err)
		}
		_ = resp.Body.Close()
		if redirects == s.cfg.MaxRedirects {
			return opened{}, fault.Terminalf(v1alpha1.LimitExceededReason, "more than %d redirects", s.cfg.MaxRedirects)
		}
		if u, err = follow(u, resp.Header.Get("Location")); err != nil {
			return opened{}, err
		}
	}
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
	ctx context.Context, resp *http.Response, at span, cut context.CancelCauseFunc,
) (opened, error) {
	file, err := s.checkResponse(resp, at)
	if err != nil {
		_ = resp.Body.Close()
		return opened{}, err
	}
	raw := newRawBody(ctx, resp, s.cfg.StallTimeout, cut)
	raw.from = file.from
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
		return opened{}, s.refusal(resp)
	}
	if size := resp.ContentLength; size > s.cfg.MaxBytes-file.from {
		return opened{}, fault.Terminalf(v1alpha1.LimitExceededReason,
			"%d bytes are more than the limit of %d bytes", file.from+size, s.cfg.MaxBytes)
	}
	return file, nil
}

// refusal returns what the status of resp means.
func (s *Sources) refusal(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := retryAfter(resp.Header.Get("Retry-After"), s.now())
		return fault.Waiting(v1alpha1.ThrottledReason, after, statusError(resp))
	}
	return fault.Failed(v1alpha1.FetchFailedReason, statusError(resp))
}

// statusError names the status of resp in the words of RFC 9110: those of the
// server are not trusted with a message.
func statusError(resp *http.Response) error {
	return fmt.Errorf("the server answered %d %s", resp.StatusCode, cmp.Or(http.StatusText(resp.StatusCode), "(unknown)"))
}

func redirected(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return resp.Header.Get("Location") != ""
	}
	return false
}

// follow returns where a redirect from one URL leads. It must keep the scheme,
// and without TLS the host too: anybody on the way could have sent it.
func follow(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || to.Host == "" {
		return nil, fault.Failed(v1alpha1.FetchFailedReason, errors.New("redirected to an invalid url"))
	}
	if to.Scheme != from.Scheme {
		return nil, fault.Terminalf(v1alpha1.SourceDeniedReason,
			"redirected to another scheme, %s: use the url that it leads to", origin(to))
	}
	if from.Scheme == "http" && !sameHost(from, to) {
		return nil, fault.Terminalf(v1alpha1.SourceDeniedReason,
			"redirected without TLS to another host, %s: use the url that it leads to", origin(to))
	}
	return to, nil
}

func sameHost(a, b *url.URL) bool {
	port := func(u *url.URL) string { return cmp.Or(u.Port(), defaultPorts[u.Scheme]) }
	return strings.EqualFold(a.Hostname(), b.Hostname()) && port(a) == port(b)
}

// origin returns the scheme and the host of u. The path of a redirect is not
// shown: it may be signed.
func origin(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// hop says which host err is about when a redirect led away from the first one.
func hop(first, u *url.URL, err error) error {
	if err == nil || origin(first) == origin(u) {
		return err
	}
	return fmt.Errorf("redirected to %s: %w", origin(u), err)
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
