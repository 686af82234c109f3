package testenv

import (
	"io"
	"net/http"
	"slices"
)

// Request is one request that a Proxy has seen.
type Request struct {
	// Verb as RBAC has it: get, list, watch, create, update, patch, delete,
	// deletecollection. For a path that is not a resource, such as /version, it is
	// the HTTP method in lower case and Resource is empty.
	Verb string
	// Group, Resource (plural), Subresource, Namespace and Name of what it is
	// about.
	Group, Resource, Subresource, Namespace, Name string
	// Path and query as sent.
	Path, Query string
	// ContentType of the body: that of a server-side apply is
	// application/apply-patch+yaml.
	ContentType string
	// Status of the response. 0 if there is none: aborted, or not complete yet.
	Status int
	// Sent and Received are the bytes of the bodies so far, as the client sent and
	// received them: compressed if they were.
	Sent, Received int64
}

// IsWrite reports whether the request changes objects. A dry run counts as one.
func (r Request) IsWrite() bool {
	return slices.Contains([]string{"create", "update", "patch", "delete", "deletecollection"}, r.Verb)
}

// Requests returns what the proxy has seen since it started or was Reset, in the
// order of arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	requests := make([]Request, len(p.requests))
	for i, r := range p.requests {
		requests[i] = *r
	}
	return requests
}

// Writes returns those of Requests that change objects.
func (p *Proxy) Writes() []Request {
	return slices.DeleteFunc(p.Requests(), func(r Request) bool { return !r.IsWrite() })
}

// Count returns how many of Requests have that verb and resource. An empty one
// matches any.
func (p *Proxy) Count(verb, resource string) int {
	n := 0
	for _, r := range p.Requests() {
		if (verb == "" || r.Verb == verb) && (resource == "" || r.Resource == resource) {
			n++
		}
	}
	return n
}

// Reset forgets what the proxy has seen.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
	p.wire.reset()
}

// remember adds the request to those that were seen.
func (p *Proxy) remember(r *http.Request) (*Request, error) {
	what, err := requestResolver.NewRequestInfo(r)
	if err != nil {
		return nil, err
	}
	seen := &Request{
		Verb: what.Verb, Group: what.APIGroup, Resource: what.Resource, Subresource: what.Subresource,
		Namespace: what.Namespace, Name: what.Name,
		Path: r.URL.Path, Query: r.URL.RawQuery, ContentType: r.Header.Get("Content-Type"),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, seen)
	return seen, nil
}

// countedBody counts what the client sent.
type countedBody struct {
	io.ReadCloser

	proxy   *Proxy
	request *Request
}

// Read reads from the client.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.proxy.mu.Lock()
	defer b.proxy.mu.Unlock()
	b.request.Sent += int64(n)
	return n, err
}

// countedResponse counts what the client receives.
type countedResponse struct {
	http.ResponseWriter

	proxy   *Proxy
	request *Request
	// lost means that the client is not to receive it.
	lost bool
}

// WriteHeader sends the status to the client.
func (w *countedResponse) WriteHeader(status int) {
	w.proxy.mu.Lock()
	w.request.Status = status
	w.proxy.mu.Unlock()
	w.ResponseWriter.WriteHeader(status)
}

// Write sends p to the client.
func (w *countedResponse) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.proxy.mu.Lock()
	defer w.proxy.mu.Unlock()
	if w.request.Status == 0 {
		w.request.Status = http.StatusOK
	}
	w.request.Received += int64(n)
	return n, err
}

// Unwrap lets the proxy flush and hijack.
func (w *countedResponse) Unwrap() http.ResponseWriter { return w.ResponseWriter }
