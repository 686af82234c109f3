package oci

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Config says how registries are spoken to. The zero value of a field asks for
// its default.
type Config struct {
	// UserAgent names the provider to registries.
	UserAgent string

	// Dial makes every connection, those to a proxy included, and is the place
	// to refuse addresses. Nil stands for a net.Dialer with ConnectTimeout.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy returns the proxy for a request, or nil for none. Nil stands for
	// http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)

	// ConnectTimeout bounds making a connection, unless Dial does, and the TLS
	// handshake. Default 10 s.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds waiting for the header of a response. Default 30 s.
	HeaderTimeout time.Duration

	// StallTimeout bounds waiting for the next byte of a body. Default 30 s.
	StallTimeout time.Duration

	// DownloadTimeout bounds one call, for Blob until its last byte. Default 10 min.
	DownloadTimeout time.Duration

	// MaxManifest bounds a manifest, and one page of tags, in bytes. Default 4 MiB.
	MaxManifest int64

	// MaxTags bounds the tags of a repository that a semver constraint is
	// looked up in. Default 10,000.
	MaxTags int

	// MaxRedirects bounds the redirects of one request. Default 5.
	MaxRedirects int

	// Mirrors returns the mirrors to use, at every call anew: see MirrorFile.
	// An error fails the call. Nil stands for none.
	Mirrors func() ([]Mirror, error)
}

// Client reads from registries. It may be used concurrently.
type Client struct {
	cfg Config
	now func() time.Time

	mu       sync.Mutex
	sessions []*session
	failed   map[string]time.Time
}

// New returns a Client for cfg, or an error when cfg holds a negative bound.
func New(cfg Config) (*Client, error) {
	cfg = cfg.withDefaults()
	if min(cfg.MaxManifest, int64(cfg.MaxTags), int64(cfg.MaxRedirects)) < 0 {
		return nil, errors.New("registries: a limit is negative")
	}
	if min(cfg.ConnectTimeout, cfg.HeaderTimeout, cfg.StallTimeout, cfg.DownloadTimeout) < 0 {
		return nil, errors.New("registries: a timeout is negative")
	}
	return &Client{cfg: cfg, now: time.Now, failed: map[string]time.Time{}}, nil
}

func (c Config) withDefaults() Config {
	c.UserAgent = cmp.Or(c.UserAgent, httpclient.DefaultUserAgent)
	c.ConnectTimeout = cmp.Or(c.ConnectTimeout, httpclient.DefaultConnectTimeout)
	c.HeaderTimeout = cmp.Or(c.HeaderTimeout, httpclient.DefaultHeaderTimeout)
	c.StallTimeout = cmp.Or(c.StallTimeout, httpclient.DefaultStallTimeout)
	c.DownloadTimeout = cmp.Or(c.DownloadTimeout, httpclient.DefaultDownloadTimeout)
	c.MaxManifest = cmp.Or(c.MaxManifest, 4<<20)
	c.MaxTags = cmp.Or(c.MaxTags, 10_000)
	c.MaxRedirects = cmp.Or(c.MaxRedirects, httpclient.DefaultMaxRedirects)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: c.ConnectTimeout}).DialContext
	}
	if c.Proxy == nil {
		c.Proxy = http.ProxyFromEnvironment
	}
	if c.Mirrors == nil {
		c.Mirrors = func() ([]Mirror, error) { return nil, nil }
	}
	return c
}

// bounded returns ctx with the time that one call may take.
func (c *Client) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return httpclient.WithTimeout(ctx, c.cfg.DownloadTimeout)
}
