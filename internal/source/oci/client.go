package oci

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Config configures a Client. Start from DefaultConfig: a zero is not replaced by
// a default.
type Config struct {
	// UserAgent names the provider to registries. Required.
	UserAgent string

	// Dial makes every connection, those to a proxy included, and is the place
	// to refuse addresses. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy returns the proxy for a request, or nil for none. Nil means no
	// proxy at all.
	Proxy func(*http.Request) (*url.URL, error)

	// ConnectTimeout bounds the TLS handshake; Dial bounds what comes before it.
	// It must be positive, as must the other timeouts.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds waiting for the header of a response.
	HeaderTimeout time.Duration

	// StallTimeout bounds waiting for the next byte of a body.
	StallTimeout time.Duration

	// MinThroughput is how many bytes a second a server sends at least (flag
	// --min-throughput), over each StallTimeout. Zero allows any.
	MinThroughput int64

	// DownloadTimeout bounds one call, for Blob until its last byte.
	DownloadTimeout time.Duration

	// MaxManifest bounds a manifest, and one page of tags, in bytes. It must be
	// positive.
	MaxManifest int64

	// MaxTags bounds the tags of a repository that a semver constraint is
	// looked up in. It must be positive.
	MaxTags int

	// MaxRedirects bounds the redirects of one request. Zero allows none.
	MaxRedirects int

	// Settings hold until Configure is called.
	Settings
}

// Settings are what can change while a Client is used.
type Settings struct {
	// TokenCIDRs are private addresses that the token servers of registries may have. One
	// on the host of its registry, and one with a public address, needs none.
	TokenCIDRs []netip.Prefix

	// Mirrors of registries. They must be as ValidateMirrors wants them.
	Mirrors []Mirror
}

// MaxManifestBytes bounds a manifest, by DefaultConfig.
const MaxManifestBytes = 4 << 20

// DefaultConfig returns the configuration that holds unless flags change it:
// manifests of 4 MiB, 10,000 tags, the proxy of the environment, and the redirects
// and timeouts of package httpclient. Its Dial is nil.
func DefaultConfig() Config {
	return Config{
		UserAgent:       httpclient.DefaultUserAgent,
		Proxy:           http.ProxyFromEnvironment,
		ConnectTimeout:  httpclient.DefaultConnectTimeout,
		HeaderTimeout:   httpclient.DefaultHeaderTimeout,
		StallTimeout:    httpclient.DefaultStallTimeout,
		MinThroughput:   httpclient.DefaultMinThroughput,
		DownloadTimeout: httpclient.DefaultDownloadTimeout,
		MaxManifest:     MaxManifestBytes,
		MaxTags:         10_000,
		MaxRedirects:    httpclient.DefaultMaxRedirects,
	}
}

// Client reads from registries. It may be used concurrently.
type Client struct {
	cfg Config
	now func() time.Time
	// current are the settings.
	current atomic.Pointer[Settings]

	mu       sync.Mutex
	sessions []*session
	failed   map[string]time.Time
}

// New returns a Client for cfg, or an error when a required field of cfg is
// missing or a value is out of range.
func New(cfg Config) (*Client, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("registries: %w", err)
	}
	c := &Client{cfg: cfg, now: time.Now, failed: map[string]time.Time{}}
	c.Configure(cfg.Settings)
	return c, nil
}

// Configure has other settings hold from the next call on.
func (c *Client) Configure(settings Settings) { c.current.Store(&settings) }

func (c Config) validate() error {
	switch {
	case c.UserAgent == "" || c.Dial == nil:
		return errors.New("a user agent and a way to dial are required")
	case min(c.MaxManifest, int64(c.MaxTags)) <= 0:
		return errors.New("a limit is not positive")
	case c.MaxRedirects < 0:
		return errors.New("the limit of redirects is negative")
	case c.MinThroughput < 0:
		return errors.New("the minimum throughput is negative")
	case min(c.ConnectTimeout, c.HeaderTimeout, c.StallTimeout, c.DownloadTimeout) <= 0:
		return errors.New("a timeout is not positive")
	}
	return nil
}

// pace returns how fast a registry has to send.
func (c Config) pace() httpclient.Pace {
	return httpclient.Pace{Stall: c.StallTimeout, MinThroughput: c.MinThroughput}
}

// bounded returns ctx with the time that one call may take.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return httpclient.WithTimeout(ctx, c.cfg.DownloadTimeout)
}
