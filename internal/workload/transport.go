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
	// idleTimeout closes a connection through which nothing is watched any more.
	idleTimeout = 90 * time.Second
)

// withTransport gives a configuration that has none a transport with one connection of
// its own, which holds little. That of client-go is shared with the ClusterCache and
// holds as much as the server likes to send. Answers may be compressed: they are bounded
// as they are unpacked. The error is that of the configuration.
func withTransport(cfg *rest.Config) error {
	if cfg.Transport != nil {
		return nil
	}
	tlsConfig, err := rest.TLSConfigFor(cfg)
	if err != nil {
		return fmt.Errorf("HTTP client: %w", err)
	}
	dial := cfg.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	proxy := http.ProxyFromEnvironment
	if cfg.Proxy != nil {
		proxy = cfg.Proxy
	}
	cfg.Transport = utilnet.SetTransportDefaults(&http.Transport{
		Proxy: proxy, DialContext: dial, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: dialTimeout,
		IdleConnTimeout: idleTimeout, MaxResponseHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxReceiveBufferPerStream: unreadOfAnswer, MaxReceiveBufferPerConnection: unreadOfConnection,
		},
	})
	// They are in the transport.
	cfg.TLSClientConfig, cfg.Dial, cfg.Proxy = rest.TLSClientConfig{}, nil, nil
	return nil
}
