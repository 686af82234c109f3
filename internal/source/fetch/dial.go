package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// DialContext connects to addr as downloads do: bounded in time, and not to an
// address that is denied, which is a Stall with the reason SourceDenied.
// It is for the transports of other clients, whose errors httpclient.Sanitize makes
// readable.
func (s *Sources) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	return s.dial(ctx, network, addr)
}

// Proxy returns the proxy for a request, nil for none, or a Stall with the reason
// SourceDenied when the proxy is asked for an address that is denied: DialContext sees
// only that of the proxy then. It is for the transports of other clients.
func (s *Sources) Proxy(req *http.Request) (*url.URL, error) {
	if s.cfg.Proxy == nil {
		return nil, nil
	}
	proxy, err := s.cfg.Proxy(req)
	if proxy == nil || err != nil {
		return nil, err
	}
	return proxy, s.current.denied().checkHost(req.Context(), req.URL.Hostname())
}

func (s *Sources) newTransport(certificate *tls.Certificate) *http.Transport {
	return httpclient.NewTransport(httpclient.Transport{
		Dial:           s.dial,
		Proxy:          s.Proxy,
		RootCAs:        s.cfg.RootCAs,
		Certificate:    certificate,
		ConnectTimeout: s.cfg.ConnectTimeout,
		HeaderTimeout:  s.cfg.HeaderTimeout,
	})
}

// newDialer returns a dialer that looks at every address before it connects.
func newDialer(cfg Config, current *current) *net.Dialer {
	return &net.Dialer{
		Timeout: cfg.ConnectTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return current.denied().check(address)
		},
	}
}

func (c *current) denied() denied {
	settings := c.Load()
	return denied{more: settings.DenyCIDRs, allowed: settings.AllowCIDRs}
}

// dial returns what dials as dialer does. Connections are kept for the next request, and
// what is denied may change meanwhile.
func (c *current) dial(dialer *net.Dialer) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialed, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return checkedConn{Conn: dialed, current: c}, nil
	}
}

// checkedConn is a connection to an address that may be denied at any time.
type checkedConn struct {
	net.Conn

	current *current
}

// Read reads unless the address is denied.
func (c checkedConn) Read(p []byte) (int, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes unless the address is denied.
func (c checkedConn) Write(p []byte) (int, error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

func (c checkedConn) check() error { return c.current.denied().check(c.RemoteAddr().String()) }
