package testenv

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/client-go/rest"
)

// Proxy is a reverse proxy for an API server: it records every request, and can
// fail, delay or abort it. Give it to AddCluster in place of the Workload. Requests
// reach the API server as the administrator's.
type Proxy struct {
	// Config is as that of the API server, but leads through the proxy.
	Config *rest.Config

	kubeconfig []byte
	server     *http.Server
	forward    http.Handler
	stop       context.CancelFunc
	served     chan struct{}
	fault      atomic.Pointer[Fault]
	wire       wire

	mu       sync.Mutex
	requests []*Request
	clients  map[net.Conn]bool
}

// StartProxy starts a proxy before s on an address of its own. Stop it before s.
func StartProxy(s *APIServer) (*Proxy, error) {
	p, err := newProxy(s)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	return p, nil
}

func newProxy(s *APIServer) (*Proxy, error) {
	forward, err := forwardTo(s.Config)
	if err != nil {
		return nil, err
	}
	config, err := s.authority.tlsConfig()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return nil, err
	}
	p := &Proxy{Config: rest.CopyConfig(s.Config), forward: forward, served: make(chan struct{}), clients: make(map[net.Conn]bool)}
	p.Config.Host = "https://" + listener.Addr().String()
	if p.kubeconfig, err = kubeconfigOf(p.Config); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.serve(listener, config)
	return p, nil
}

// silent is for servers that break connections on purpose.
var silent = log.New(io.Discard, "", 0)

func forwardTo(config *rest.Config) (http.Handler, error) {
	target, err := url.Parse(config.Host)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // Watches.
		ErrorLog:      silent,
		ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}, nil
}

// serve starts the server. Closing it does not end requests that are under way:
// their context does.
func (p *Proxy) serve(listener net.Listener, config *tls.Config) {
	base, stop := context.WithCancel(context.Background())
	p.stop = stop
	p.server = &http.Server{
		Handler: p, TLSConfig: config, ErrorLog: silent, ReadHeaderTimeout: askTimeout,
		BaseContext: func(net.Listener) context.Context { return base },
		ConnState:   p.noteConnection,
	}
	go func() {
		defer close(p.served)
		_ = p.server.ServeTLS(countedListener{listener, &p.wire}, "", "") // It ends by Stop.
	}()
}

// tlsConfig is of a server that only the users of the authority may use.
func (a *authority) tlsConfig() (*tls.Config, error) {
	serving, err := a.server()
	if err != nil {
		return nil, err
	}
	certificate, err := tls.X509KeyPair(serving.certificate, serving.key)
	if err != nil {
		return nil, err
	}
	users := x509.NewCertPool()
	users.AddCert(a.certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{certificate},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    users,
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"h2", "http/1.1"},
	}, nil
}

// Kubeconfig returns a kubeconfig that leads through the proxy.
func (p *Proxy) Kubeconfig() []byte { return p.kubeconfig }

// Stop closes all connections and releases the address. It may be called twice.
func (p *Proxy) Stop() {
	p.stop()
	_ = p.server.Close()
	<-p.served
}

// noteConnection keeps the connections that are open.
func (p *Proxy) noteConnection(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(p.clients, c)
		return
	}
	p.clients[c] = true
}

// CloseConnections ends the connections of all clients in the middle of what is
// under way, as an API server does that is killed. They can connect again at once.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.clients {
		_ = c.Close() // An error is that it is closed.
	}
}

var requestResolver = &request.RequestInfoFactory{
	APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api"),
}

// ServeHTTP records the request and forwards it, unless the Fault responds.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	seen, err := p.remember(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	counted := &countedResponse{ResponseWriter: w, proxy: p, request: seen}
	r.Body = &countedBody{ReadCloser: r.Body, proxy: p, request: seen}
	if fault := p.fault.Load(); fault != nil && (*fault)(counted, r, *seen) {
		return
	}
	if err := receive(r); err != nil {
		panic(http.ErrAbortHandler) // The client is gone.
	}
	if counted.lost {
		counted.ResponseWriter = discarded{http.Header{}}
		p.forward.ServeHTTP(counted, r)
		panic(http.ErrAbortHandler)
	}
	p.forward.ServeHTTP(counted, r)
}

// receive reads the body of a request to its end. An API server may respond before
// it has read all of a body; over HTTP/2 the rest of a body that streams through two
// connections can then keep the end of the response from the client.
func receive(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return err
}
