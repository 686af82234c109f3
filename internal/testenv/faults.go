package testenv

import (
	"net/http"
	"strconv"
	"time"
)

// Fault sees a request before the API server does. It returns true if it has
// responded itself, false to let the request pass. It may wait, or watch the
// request's context, and is called from many goroutines.
type Fault func(http.ResponseWriter, *http.Request, Request) bool

// SetFault applies f to every request from now on. Nil lets all pass.
func (p *Proxy) SetFault(f Fault) {
	if f == nil {
		p.fault.Store(nil)
		return
	}
	p.fault.Store(&f)
}

// Cut aborts the client's request without a response, as if its connection were
// lost: over HTTP/2 other requests on the connection continue. It is a Fault.
func Cut(http.ResponseWriter, *http.Request, Request) bool { panic(http.ErrAbortHandler) }

// Answer returns a Fault that responds with that HTTP status and, if retryAfter
// is not 0, the header Retry-After in whole seconds.
func Answer(status int, retryAfter time.Duration) Fault {
	return func(w http.ResponseWriter, _ *http.Request, _ Request) bool {
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		}
		http.Error(w, http.StatusText(status), status)
		return true
	}
}

// Hang waits until the client gives up. It is a Fault.
func Hang(_ http.ResponseWriter, r *http.Request, _ Request) bool {
	<-r.Context().Done()
	return true
}

// Only returns a Fault that is f for the requests that match and lets the others
// pass.
func Only(match func(Request) bool, f Fault) Fault {
	return func(w http.ResponseWriter, r *http.Request, seen Request) bool {
		return match(seen) && f(w, r, seen)
	}
}

// Lose lets the API server serve the request, and then aborts it as Cut does: the
// client cannot know that it succeeded. It is a Fault.
func Lose(w http.ResponseWriter, _ *http.Request, _ Request) bool {
	if counted, ok := w.(*countedResponse); ok {
		counted.lost = true
	}
	return false
}

// discarded is a response that nobody receives.
type discarded struct{ header http.Header }

// Header returns what nobody receives.
func (d discarded) Header() http.Header { return d.header }

// Write discards p.
func (d discarded) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader discards the status.
func (d discarded) WriteHeader(int) {}
