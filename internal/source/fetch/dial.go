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
	return s.dialer.DialContext(ctx, network, addr)
}

// Proxy returns the proxy for a request, nil for none, or a Stall with the reason
// SourceDenied when the proxy is asked for an address that is denied: DialContext sees
// only that of the proxy then. It is for the transports of other clients.
func (s *Sources) Proxy(req *http.Request) (*url.URL, error) { return s.cfg.proxy()(req) }

// proxy returns what finds the proxy for a request.
func (c Config) proxy() func(*http.Request) (*url.URL, error) {
	deny := c.denied()
	return func(req *http.Request) (*url.URL, error) {
		if c.Proxy == nil {
			return nil, nil
		}
		proxy, err := c.Proxy(req)
		if proxy == nil || err != nil {
			return nil, err
		}
		return proxy, deny.checkHost(req.Context(), req.URL.Hostname())
	}
}

func (c Config) denied() denied { return denied{more: c.DenyCIDRs, allowed: c.AllowCIDRs} }

func newTransport(cfg Config, dialer *net.Dialer, certificate *tls.Certificate) *http.Transport {
	return httpclient.NewTransport(httpclient.Transport{
		Dial:           dialer.DialContext,
		Proxy:          cfg.proxy(),
		RootCAs:        cfg.RootCAs,
		Certificate:    certificate,
		ConnectTimeout: cfg.ConnectTimeout,
		HeaderTimeout:  cfg.HeaderTimeout,
	})
}

// newDialer returns a dialer that looks at every address before it connects.
func newDialer(cfg Config) *net.Dialer {
	deny := cfg.denied()
	return &net.Dialer{
		Timeout: cfg.ConnectTimeout,
		ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return deny.check(address)
		},
	}
}
