package fetch

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Config says where files are and what is allowed. The zero value of a field
// asks for its default.
type Config struct {
	// BundleDir is the directory below which file sources are (flag
	// --bundle-dir). Without it there are none.
	BundleDir string

	// DenyCIDRs are the addresses that nothing is fetched from (flag
	// --source-deny-cidrs). Nil stands for DefaultDenyCIDRs; a slice that is
	// empty denies nothing.
	DenyCIDRs []netip.Prefix

	// UserAgent names the provider to web servers.
	UserAgent string

	// MaxBytes bounds one source, unpacked. Default 512 MiB.
	MaxBytes int64

	// MaxRatio bounds how many times larger than its compressed form a source
	// may be. It counts from the first MiB on. Default 200.
	MaxRatio int64

	// MaxRedirects bounds the redirects of one download. Default 5.
	MaxRedirects int

	// ConnectTimeout bounds making a connection, and once more its TLS
	// handshake. Default 10 s.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds waiting for the header of a response. Default 30 s.
	HeaderTimeout time.Duration

	// StallTimeout bounds waiting for the next byte of a body. Default 30 s.
	StallTimeout time.Duration

	// DownloadTimeout bounds a download from the first connection to the last
	// byte. Default 10 min.
	DownloadTimeout time.Duration

	// RootCAs are the authorities that web servers are verified with. Nil
	// stands for those of the system.
	RootCAs *x509.CertPool

	// Proxy returns the proxy for a request, or nil for none. Nil stands for
	// http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
}

// Sources opens sources. It may be used concurrently.
type Sources struct {
	cfg       Config
	dialer    *net.Dialer
	transport http.RoundTripper
	now       func() time.Time
}

// New returns Sources for cfg, or an error when cfg holds a negative bound or an
// invalid prefix.
func New(cfg Config) (*Sources, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	dialer := newDialer(cfg)
	return &Sources{cfg: cfg, dialer: dialer, transport: newTransport(cfg, dialer), now: time.Now}, nil
}

// Open opens src for reading. ctx bounds the reader too: it must live until the
// reader is closed, and who opens must close.
//
// Errors of Open and of the reader have a class and a reason: FetchFailed when
// trying again may help, Throttled with the time to wait when the server asked
// for it, and the stalling LimitExceeded, SourceDenied and SourceInvalid.
func (s *Sources) Open(ctx context.Context, src v1alpha1.Source) (io.ReadCloser, error) {
	body, _, _, err := s.OpenAt(ctx, src, 0, "")
	return body, err
}

// OpenAt is Open from the byte offset on of the version of the file that
// validator names: that of an earlier call. It returns where body really begins,
// which is offset or 0, and the validator with which the file can be opened in
// the middle another time; empty when it cannot be.
//
// It is 0 when the server has another version now, or does not go on in the
// middle, when validator is empty, and for files and inline manifests, which are
// here already. A file that the server compresses on the way has no validator.
func (s *Sources) OpenAt(
	ctx context.Context, src v1alpha1.Source, offset int64, validator string,
) (body io.ReadCloser, actual int64, newValidator string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, "", fetchFailed(Describe(src), err)
	}
	switch {
	case src.HTTPS != nil:
		file, err := s.openHTTPS(ctx, src.HTTPS.URL, spanOf(offset, validator))
		return file.ReadCloser, file.from, file.validator, err
	case src.File != nil:
		body, err := s.openFile(src.File.Path)
		return body, 0, "", err
	case src.Inline != nil:
		body := io.NopCloser(strings.NewReader(src.Inline.Manifests))
		return limit(body, Describe(src), 0, s.cfg.MaxBytes), 0, "", nil
	}
	return nil, 0, "", fault.Stall(v1alpha1.SourceInvalidReason,
		errors.New("the source has none of https, file and inline"))
}

func (c Config) withDefaults() Config {
	if c.DenyCIDRs == nil {
		c.DenyCIDRs = DefaultDenyCIDRs()
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	c.UserAgent = cmp.Or(c.UserAgent, httpclient.DefaultUserAgent)
	c.MaxBytes = cmp.Or(c.MaxBytes, 512<<20)
	c.MaxRatio = cmp.Or(c.MaxRatio, 200)
	c.MaxRedirects = cmp.Or(c.MaxRedirects, httpclient.DefaultMaxRedirects)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, httpclient.DefaultConnectTimeout)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, httpclient.DefaultHeaderTimeout)
	c.StallTimeout = cmp.Or(c.StallTimeout, httpclient.DefaultStallTimeout)
	c.DownloadTimeout = cmp.Or(c.DownloadTimeout, httpclient.DefaultDownloadTimeout)
	return c
}

func (c Config) validate() error {
	if min(c.MaxBytes, c.MaxRatio, int64(c.MaxRedirects)) < 0 {
		return errors.New("a limit is negative")
	}
	if min(c.ConnectTimeout, c.HeaderTimeout, c.StallTimeout, c.DownloadTimeout) < 0 {
		return errors.New("a timeout is negative")
	}
	for _, prefix := range c.DenyCIDRs {
		if !prefix.IsValid() {
			return errors.New("a prefix of --source-deny-cidrs is invalid")
		}
	}
	return nil
}

// fetchFailed returns err about the source with the given name as one that is
// tried again, unless it has a class already.
func fetchFailed(name string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); !ok {
		err = fault.Retry(v1alpha1.FetchFailedReason, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
