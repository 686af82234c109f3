package fetch

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Config configures where files are and what is allowed. Start from
// DefaultConfig: a zero is not replaced by a default.
type Config struct {
	// BundleDir is the directory below which file sources are (flag
	// --bundle-dir). Without it there are none.
	BundleDir string

	// Settings hold until Configure is called.
	Settings

	// UserAgent names the provider to web servers. Required.
	UserAgent string

	// MaxRedirects bounds the redirects of one download. Zero allows none.
	MaxRedirects int

	// ConnectTimeout bounds making a connection, and once more its TLS
	// handshake. It must be positive, as must the other timeouts.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds waiting for the header of a response.
	HeaderTimeout time.Duration

	// StallTimeout bounds waiting for the next byte of a body.
	StallTimeout time.Duration

	// MinThroughput is how many bytes a second a server sends at least (flag
	// --min-throughput), over each StallTimeout. Zero allows any.
	MinThroughput int64

	// DownloadTimeout bounds a download from the first connection to the last
	// byte.
	DownloadTimeout time.Duration

	// RootCAs are the authorities that web servers are verified with. Nil
	// means those of the system.
	RootCAs *x509.CertPool

	// Proxy returns the proxy for a request, or nil for none. Nil means no
	// proxy at all.
	Proxy func(*http.Request) (*url.URL, error)
}

// Settings are what can change while Sources are used.
type Settings struct {
	// DenyCIDRs are addresses that nothing is fetched from, beside loopback, link-local
	// and the metadata services of clouds. An address of IPv6 that stands for one of IPv4
	// is denied with it.
	DenyCIDRs []netip.Prefix

	// AllowCIDRs are exceptions to what is denied beside DenyCIDRs.
	AllowCIDRs []netip.Prefix

	// MaxBytes bounds one source, unpacked. It must be positive.
	MaxBytes int64

	// MaxRatio bounds how many times larger than its compressed form a source
	// may be. It counts from the first MiB on. It must be positive.
	MaxRatio int64
}

// DefaultConfig returns the configuration that holds unless flags change it:
// no bundle directory, 512 MiB, a ratio of 200, the proxy of the environment, and the
// redirects and timeouts of package httpclient.
func DefaultConfig() Config {
	return Config{
		UserAgent:       httpclient.DefaultUserAgent,
		Settings:        Settings{MaxBytes: 512 << 20, MaxRatio: 200},
		MaxRedirects:    httpclient.DefaultMaxRedirects,
		ConnectTimeout:  httpclient.DefaultConnectTimeout,
		HeaderTimeout:   httpclient.DefaultHeaderTimeout,
		StallTimeout:    httpclient.DefaultStallTimeout,
		MinThroughput:   httpclient.DefaultMinThroughput,
		DownloadTimeout: httpclient.DefaultDownloadTimeout,
		Proxy:           http.ProxyFromEnvironment,
	}
}

// Sources opens sources. It may be used concurrently.
type Sources struct {
	cfg     Config
	current *current
	dial    func(ctx context.Context, network, addr string) (net.Conn, error)
	now     func() time.Time

	transport http.RoundTripper
	// access is for the server that a source names, and so is certified, which shows
	// the certificate of access. It is nil without one.
	access    httpclient.Access
	certified http.RoundTripper
}

// New returns Sources for cfg, or an error when a required field of cfg is missing
// or a value is out of range.
func New(cfg Config) (*Sources, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("sources: %w", err)
	}
	s := &Sources{cfg: cfg, current: &current{}, now: time.Now}
	s.Configure(cfg.Settings)
	s.dial = s.current.dial(newDialer(cfg, s.current))
	s.transport = s.newTransport(nil)
	return s, nil
}

// Configure has other settings hold from now on, for what As returned, too. A
// connection to an address that they deny ends with what is read or written next. They
// must be as New wants them.
func (s *Sources) Configure(settings Settings) { s.current.Store(&settings) }

// current holds the settings.
type current struct{ atomic.Pointer[Settings] }

// As returns Sources that opens files on web servers with the given access. The
// login and the certificate are for the server that a source names, and not for
// where that leads; they are never sent without TLS, which is a Stall with the reason
// SourceInvalid.
func (s *Sources) As(access httpclient.Access) *Sources {
	if access.IsEmpty() {
		return s
	}
	as := *s
	as.access = access
	if access.RootCAs != nil {
		as.cfg.RootCAs = access.RootCAs
		as.transport = as.newTransport(nil)
	}
	if access.Certificate != nil {
		as.certified = as.newTransport(access.Certificate)
	}
	return &as
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
// It is 0 when the server has another version now, or does not resume in the
// middle, when validator is empty, and for files and inline manifests, which are
// here already. A file that the server compresses on the way has no validator.
// Errors are those of Open.
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
		return limit(body, Describe(src), 0, s.current.Load().MaxBytes), 0, "", nil
	}
	return nil, 0, "", fault.Stall(v1alpha1.SourceInvalidReason,
		errors.New("the source has none of https, file and inline"))
}

func (c Config) validate() error {
	switch {
	case c.UserAgent == "":
		return errors.New("a user agent is required")
	case min(c.MaxBytes, c.MaxRatio) <= 0:
		return errors.New("a limit is not positive")
	case c.MaxRedirects < 0:
		return errors.New("the limit of redirects is negative")
	case c.MinThroughput < 0:
		return errors.New("the minimum throughput is negative")
	case min(c.ConnectTimeout, c.HeaderTimeout, c.StallTimeout, c.DownloadTimeout) <= 0:
		return errors.New("a timeout is not positive")
	}
	for _, prefix := range slices.Concat(c.DenyCIDRs, c.AllowCIDRs) {
		if !prefix.IsValid() {
			return errors.New("a denied or allowed prefix is invalid")
		}
	}
	return nil
}

// pace returns how fast a server has to send.
func (c Config) pace() httpclient.Pace {
	return httpclient.Pace{Stall: c.StallTimeout, MinThroughput: c.MinThroughput}
}

// fetchFailed is httpclient.Failed for an error about the source with the given
// name.
func fetchFailed(name string, err error) error {
	return fmt.Errorf("%s: %w", name, httpclient.Failed(err))
}
