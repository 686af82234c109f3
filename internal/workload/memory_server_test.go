package workload

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// memoryServer is an API server of TLS and HTTP/2 that is reached without a network, so
// that its time is that of a bubble of synctest.
type memoryServer struct {
	server *http.Server
	ca     []byte
	conns  chan net.Conn
	closed chan struct{}

	// answer answers requests, with a version if it is nil.
	answer http.HandlerFunc
	// refuses and swallows say what happens to those who connect, and to what they send.
	refuses, swallows atomic.Bool
	dials, requests   atomic.Int32

	mu   sync.Mutex
	open map[net.Conn]bool
}

// certificates are made outside of bubbles: they have goroutines.
var certificates = sync.OnceValues(func() (tls.Certificate, []byte) {
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	return s.TLS.Certificates[0], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
})

func newMemoryServer(protocols ...string) *memoryServer {
	certificate, ca := certificates()
	s := &memoryServer{ca: ca, conns: make(chan net.Conn), closed: make(chan struct{}), open: make(map[net.Conn]bool)}
	s.server = &http.Server{
		Handler: s, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: protocols, MinVersion: tls.VersionTLS12},
	}
	if len(protocols) > 0 {
		s.server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){}
	}
	go func() { _ = s.server.ServeTLS(s, "", "") }() // it ends with Close
	return s
}

// Accept, Close and Addr make it a net.Listener.
func (s *memoryServer) Accept() (net.Conn, error) {
	select {
	case c := <-s.conns:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *memoryServer) Close() error   { return nil }
func (s *memoryServer) Addr() net.Addr { return &net.TCPAddr{} }

// stop ends the server.
func (s *memoryServer) stop() {
	close(s.closed)
	_ = s.server.Close()
	s.cut()
}

func (s *memoryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	if s.answer != nil {
		s.answer(w, r)
		return
	}
	_, _ = io.WriteString(w, `{"gitVersion":"v1.36.0"}`)
}

// dial connects to the server.
func (s *memoryServer) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	s.dials.Add(1)
	if s.refuses.Load() {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	ours, theirs := net.Pipe()
	c := &memoryConn{Conn: ours, server: s}
	if !s.swallows.Load() {
		select {
		case s.conns <- theirs:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = true
	return c, nil
}

// cut closes all connections, as a server that is killed.
func (s *memoryServer) cut() {
	s.mu.Lock()
	open := s.open
	s.open = make(map[net.Conn]bool)
	s.mu.Unlock()
	for c := range open {
		_ = c.(*memoryConn).Conn.Close()
	}
}

// connections returns how many are open.
func (s *memoryServer) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}

// config is that of a client of the server.
func (s *memoryServer) config() *rest.Config {
	return &rest.Config{Host: "https://example.com", Dial: s.dial, TLSClientConfig: rest.TLSClientConfig{CAData: s.ca, ServerName: "example.com"}}
}

type memoryConn struct {
	net.Conn

	server *memoryServer
}

func (c *memoryConn) Write(p []byte) (int, error) {
	if c.server.swallows.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *memoryConn) Close() error {
	c.server.mu.Lock()
	delete(c.server.open, c)
	c.server.mu.Unlock()
	return c.Conn.Close()
}

// pool is connections in a bubble of synctest.
type pool struct {
	*Connections

	t *testing.T

	mu      sync.Mutex
	configs map[string]*rest.Config
	told    []client.ObjectKey
	end     context.CancelFunc
}

// testPool runs a test with connections and a server, to which the kubeconfig "memory"
// leads.
func testPool(t *testing.T, test func(*pool, *memoryServer)) {
	t.Helper()
	certificates()
	synctest.Test(t, func(t *testing.T) {
		server := newMemoryServer()
		ctx, end := context.WithCancel(t.Context())
		p := &pool{t: t, end: end, configs: map[string]*rest.Config{"memory": server.config()}}
		p.Connections = NewConnections(ctx, ConnectionOptions{ConfigOf: p.configOf, Concurrency: 100})
		p.Subscribe(func(cluster client.ObjectKey) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.told = append(p.told, cluster)
		})
		test(p, server)
		end()
		server.stop()
		elapse(time.Minute) // a transport takes its time to end
	})
}

func (p *pool) configOf(kubeconfig []byte) (*rest.Config, error) {
	cfg := p.configs[string(kubeconfig)]
	if cfg == nil {
		return nil, errNoConfig
	}
	return cfg, nil
}

// connect has a workload cluster connected that is not new, and waits until all is done
// that there is to do at once.
func (p *pool) connect(cluster client.ObjectKey, kubeconfig string) {
	p.Connect(cluster, []byte(kubeconfig), time.Now().Add(-time.Hour))
	synctest.Wait()
}

// want fails unless a workload cluster has a connection, or else has none for a reason,
// and this was told so often since the last call.
func (p *pool) want(when string, cluster client.ObjectKey, why string, told int) {
	p.t.Helper()
	synctest.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.Client(cluster)
	want := ErrNotConnected.Error() + why
	if why == isConnected {
		want = why
	}
	if got := textOf(err); got != want || len(p.told) != told {
		p.t.Errorf("%s: want %q, told %d times, got %q, %d", when, want, told, got, len(p.told))
	}
	p.told = nil
}

func textOf(err error) string {
	if err == nil {
		return isConnected
	}
	return err.Error()
}
