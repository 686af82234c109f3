package main

import (
	"maps"
	"net"
	"net/http"
	"path"
	"sync"
	"time"
)

// readTime bounds how long a client may take to send its request.
const readTime = 10 * time.Second

// fileServer serves files on the loopback address by their digest, and counts the downloads.
type fileServer struct {
	server *http.Server
	listen net.Listener
	served chan struct{}

	mu        sync.Mutex
	files     map[string][]byte
	downloads map[string]int
}

func serveFiles() (*fileServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It does not resolve a name.
	if err != nil {
		return nil, err
	}
	s := &fileServer{
		listen: listener, served: make(chan struct{}), files: map[string][]byte{}, downloads: map[string]int{},
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: readTime}
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // It ends by stop.
	}()
	return s, nil
}

// add serves the content and returns its URL.
func (s *fileServer) add(digest string, content []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[digest] = content
	return "http://" + s.listen.Addr().String() + "/" + digest
}

// ServeHTTP serves the file whose digest the path names.
func (s *fileServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	digest := path.Base(r.URL.Path)
	s.mu.Lock()
	content, ok := s.files[digest]
	if ok {
		s.downloads[digest]++
	}
	s.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(content) // Who does not wait for it does not get it.
}

// counts returns how often each file was asked for.
func (s *fileServer) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.downloads)
}

func (s *fileServer) stop() {
	_ = s.server.Close()
	<-s.served
}
