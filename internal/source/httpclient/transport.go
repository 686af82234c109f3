package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The defaults of those who download.
const (
	DefaultUserAgent       = "cluster-api-addon-provider-bundle"
	DefaultMaxRedirects    = 5
	DefaultConnectTimeout  = 10 * time.Second
	DefaultHeaderTimeout   = 30 * time.Second
	DefaultStallTimeout    = 30 * time.Second
	DefaultDownloadTimeout = 10 * time.Minute
	// DefaultMinThroughput is in bytes a second.
	DefaultMinThroughput = 16 << 10
)

const (
	maxHeaderBytes = 64 << 10
	idleTimeout    = 30 * time.Second
	idlePerHost    = 4
)

// Transport configures how connections are made. There are no defaults but those of
// net/http.
type Transport struct {
	// Dial makes every connection, those to a proxy included.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy returns the proxy for a request, or nil for none.
	Proxy func(*http.Request) (*url.URL, error)

	// RootCAs are the authorities that servers are verified with, with TLS 1.2
	// at the least. Nil means those of the system.
	RootCAs *x509.CertPool

	// Certificate is shown to servers that ask for one, unless it is nil.
	Certificate *tls.Certificate

	// ConnectTimeout bounds the TLS handshake. To bound making a connection is
	// left to Dial.
	ConnectTimeout time.Duration

	// HeaderTimeout bounds waiting for the header of a response.
	HeaderTimeout time.Duration
}

// NewTransport returns a transport for downloads. Bodies come as they are sent:
// who asks for a compressed one decodes it.
func NewTransport(t Transport) *http.Transport {
	var only11 http.Protocols
	// One file per connection gains nothing from HTTP/2, and its errors carry
	// numbers of streams: no message would be like the one before.
	only11.SetHTTP1(true)
	secure := &tls.Config{RootCAs: t.RootCAs, MinVersion: tls.VersionTLS12}
	if t.Certificate != nil {
		secure.Certificates = []tls.Certificate{*t.Certificate}
	}
	return &http.Transport{
		Proxy:                  t.Proxy,
		DialContext:            t.Dial,
		TLSClientConfig:        secure,
		TLSHandshakeTimeout:    t.ConnectTimeout,
		ResponseHeaderTimeout:  t.HeaderTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConnsPerHost:    idlePerHost,
		DisableCompression:     true,
		Protocols:              &only11,
	}
}
