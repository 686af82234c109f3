package main

import (
	"net"
	"net/http"
	"path"
	"sync"
	"time"
)

// readTime bounds how long a client may take to send its request.
const readTime = 10 * time.Second

// fileServer serves files on the loopback address and counts the downloads.
type fileServer struct {
	files  map[string][]byte
	server *http.Server
	listen net.Listener
	served chan struct{}

	mu        sync.Mutex
	downloads map[string]int
}

// serveFiles starts a server of these files, by name.
func serveFiles(files map[string][]byte) (*fileServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return nil, err
	}
	s := &fileServer{files: files, listen: listener, served: make(chan struct{}), downloads: map[string]int{}}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: readTime}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // It ends by stop.
	}()
	return s, nil
}

// ServeHTTP serves the file that the path names.
func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	content, ok := s.files[name]
	if !ok || r.Method != http.MethodGet {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.downloads[name]++
	s.mu.Unlock()
	_, _ = w.Write(content) // Who does not wait for it does not get it.
}

func (s *fileServer) url() string { return "http://" + s.listen.Addr().String() }

// count returns how often the file was requested.
func (s *fileServer) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.downloads[name]
}

func (s *fileServer) stop() {
	_ = s.server.Close()
	<-s.served
}
