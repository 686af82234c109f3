package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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
func (s *Sources) openHTTPS(ctx context.Context, rawURL string) (io.ReadCloser, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fault.Terminal(v1alpha1.SourceInvalidReason, errors.New("the source's url cannot be parsed"))
	}
	name := describeURL(u)
	if _, ok := defaultPorts[u.Scheme]; !ok || u.Host == "" {
		return nil, fault.Terminalf(v1alpha1.SourceInvalidReason, "%s: not an absolute http or https URL", name)
	}
	total, stopTotal := context.WithTimeoutCause(ctx, s.cfg.DownloadTimeout,
		fmt.Errorf("%w: more than %v", errTooLong, s.cfg.DownloadTimeout))
	ctx, cut := context.WithCancelCause(total)
	stop := func() { cut(context.Canceled); stopTotal() }

	body, err := s.download(ctx, u, cut)
	if err != nil {
		stop()
		return nil, fetchFailed(name, err)
	}
	return limit(&stopping{ReadCloser: body, stop: stop}, name, s.cfg.MaxBytes), nil
}

// download follows the redirects from u on and returns the body of the response
// that ends them.
func (s *Sources) download(ctx context.Context, u *url.URL, cut context.CancelCauseFunc) (io.ReadCloser, error) {
	first := u
	for redirects := 0; ; redirects++ {
		resp, err := s.get(ctx, u)
		if err != nil {
			return nil, hop(first, u, plain(ctx, err))
		}
		if !redirected(resp) {
			body, err := s.body(ctx, resp, cut)
			return body, hop(first, u, err)
		}
		_ = resp.Body.Close()
		if redirects == s.cfg.MaxRedirects {
			return nil, fault.Terminalf(v1alpha1.LimitExceededReason, "more than %d redirects", s.cfg.MaxRedirects)
		}
		if u, err = follow(u, resp.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
}

// get asks for u. It goes to the transport and not through a http.Client, whose
// errors hold URLs, and that follows redirects by other rules.
func (s *Sources) get(ctx context.Context, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "", http.NoBody)
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = u, u.Host
	req.Header.Set("User-Agent", s.cfg.UserAgent)
	req.Header.Set("Accept-Encoding", "gzip")
	if u.User != nil {
		password, _ := u.User.Password()
		req.SetBasicAuth(u.User.Username(), password)
	}
	return s.transport.RoundTrip(req)
}

// body returns the body of resp, decoded, or what its status means.
func (s *Sources) body(ctx context.Context, resp *http.Response, cut context.CancelCauseFunc) (io.ReadCloser, error) {
	if err := s.checkResponse(resp); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	raw := newRawBody(ctx, resp, s.cfg.StallTimeout, cut)
	decoded, err := decode(raw, resp.Header.Get("Content-Encoding"), s.cfg.MaxRatio)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return decoded, nil
}

// checkResponse returns an error unless resp is a file of a size that is allowed.
func (s *Sources) checkResponse(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := retryAfter(resp.Header.Get("Retry-After"), s.now())
		return fault.Waiting(v1alpha1.ThrottledReason, after, statusError(resp))
	default:
		return fault.Failed(v1alpha1.FetchFailedReason, statusError(resp))
	}
	if resp.ContentLength > s.cfg.MaxBytes {
		return fault.Terminalf(v1alpha1.LimitExceededReason,
			"%d bytes are more than the limit of %d bytes", resp.ContentLength, s.cfg.MaxBytes)
	}
	return nil
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
