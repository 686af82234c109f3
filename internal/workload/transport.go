package workload

import (
	"fmt"
	"net"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

const (
	// What a connection may hold of what the server sent and nobody read yet: of one
	// answer, and of all. client-go has 4 MiB and 1 GiB.
	unreadOfAnswer     = 256 << 10
	unreadOfConnection = 4 << 20

	// maxHeader bounds the header of an answer; net/http has 10 MiB.
	maxHeader = 64 << 10

	dialTimeout = 10 * time.Second
	keepAlive   = 30 * time.Second
)

// withTransport gives a configuration that has none a transport with one connection of
// its own, which the wire notes. It holds little, where that of client-go holds as much as the
// server likes to send, and stays open. With HTTP/2 a ping is sent when nothing came for half
// a minute, and the connection closed when nothing comes back within 15 seconds. Answers may
// be compressed: they are bounded as they are unpacked. The error is that of the
// configuration.
func withTransport(cfg *rest.Config, w *wire) error {
	if cfg.Transport != nil {
		return nil
	}
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return fmt.Errorf("HTTP client: %w", err)
	}
	var dial dialer = (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext
	if cfg.Dial != nil {
		dial = cfg.Dial
	}
	proxy := http.ProxyFromEnvironment
	if cfg.Proxy != nil {
		proxy = cfg.Proxy
	}
	transport := utilnet.SetTransportDefaults(&http.Transport{
		Proxy: proxy, DialContext: w.through(dial), TLSClientConfig: tlsConfig, TLSHandshakeTimeout: dialTimeout,
		MaxResponseHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: unreadOfAnswer, MaxReceiveBufferPerConnection: unreadOfConnection,
		},
	})
	transport.IdleConnTimeout = 0 // for ever: that it is open is what tells that the server is there
	cfg.Transport = transport
	// They are in the transport.
	cfg.TLSClientConfig, cfg.Dial, cfg.Proxy = rest.TLSClientConfig{}, nil, nil
	return nil
}
