package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestATransportAsksForWhatItIsTold(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.Header.Get("Accept-Encoding"))
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	dialed := 0
	transport := NewTransport(Transport{
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed++
			return new(net.Dialer).DialContext(ctx, network, address)
		},
		RootCAs:        roots,
		ConnectTimeout: time.Minute,
		HeaderTimeout:  time.Hour,
	})
	t.Cleanup(transport.CloseIdleConnections)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatalf("RoundTrip: %v", err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "HTTP/1.1 " {
		t.Errorf("want HTTP/1.1 and no encoding asked for, got %q, %v", got, err)
	}
	if dialed != 1 {
		t.Errorf("want the connection made by Dial, got %d", dialed)
	}
	if transport.TLSHandshakeTimeout != time.Minute || transport.ResponseHeaderTimeout != time.Hour {
		t.Errorf("want the timeouts that were given, got %v and %v",
			transport.TLSHandshakeTimeout, transport.ResponseHeaderTimeout)
	}
	if transport.TLSClientConfig.MinVersion != tls.VersionTLS12 {
		t.Errorf("want TLS 1.2 or newer, got %x", transport.TLSClientConfig.MinVersion)
	}
}
