package remote

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/e2e/fleet/simulator"
)

// maxRecorded bounds the body of one recorded request.
const maxRecorded = 8 << 20

// observer notes when clusters are asked, and records what one of them is asked.
type observer struct {
	next http.Handler

	mu       sync.Mutex
	clusters []observed
	// goals are how many watches of each cluster are awaited; pending clusters have fewer.
	goals   []int
	pending int
	reached chan struct{}

	recorded  int // the cluster, or -1
	recording []Request
}

// observed is what one cluster was asked since the last reset.
type observed struct {
	first   time.Time
	watches int
	reached time.Time
}

func newObserver(clusters int) *observer {
	return &observer{clusters: make([]observed, clusters), recorded: -1}
}

// ServeHTTP notes the request and hands it on.
func (o *observer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cluster, ok := simulator.ClusterOf(r)
	if !ok {
		o.next.ServeHTTP(w, r)
		return
	}
	watch := isWatch(r)
	if !o.note(cluster, watch, time.Now()) {
		o.next.ServeHTTP(w, r)
		return
	}
	o.record(w, r, watch)
}

func isWatch(r *http.Request) bool {
	watch := r.URL.Query().Get("watch")
	return r.Method == http.MethodGet && (watch == "true" || watch == "1")
}

// note reports whether the request is to be recorded.
func (o *observer) note(cluster int, watch bool, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	seen := &o.clusters[cluster]
	if seen.first.IsZero() {
		seen.first = now
	}
	if watch {
		seen.watches++
		o.countWatch(seen, cluster, now)
	}
	return cluster == o.recorded
}

// countWatch notes when a cluster has all watches that are awaited of it.
func (o *observer) countWatch(seen *observed, cluster int, now time.Time) {
	if o.goals == nil || seen.watches != o.goals[cluster] {
		return
	}
	seen.reached = now
	if o.pending--; o.pending == 0 {
		close(o.reached)
	}
}

// record hands the request on and keeps it with its answer's status.
func (o *observer) record(w http.ResponseWriter, r *http.Request, watch bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRecorded))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	kept := Request{
		Method: r.Method, Path: r.URL.RequestURI(), Body: body, Watch: watch,
		Accept: r.Header.Get("Accept"), ContentType: r.Header.Get("Content-Type"),
	}
	at := o.keep(kept)
	status := &statusWriter{ResponseWriter: w, code: http.StatusOK}
	o.next.ServeHTTP(status, r)
	o.mu.Lock()
	defer o.mu.Unlock()
	if at < len(o.recording) {
		o.recording[at].Status = status.code
	}
}

func (o *observer) keep(r Request) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recording = append(o.recording, r)
	return len(o.recording) - 1
}

// reset forgets what was seen, and awaits that many watches of each cluster; none without goals.
func (o *observer) reset(goals []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.clusters)
	o.goals, o.pending, o.reached = goals, 0, make(chan struct{})
	for _, goal := range goals {
		if goal > 0 {
			o.pending++
		}
	}
	if o.pending == 0 {
		close(o.reached)
	}
}

// awaited returns what is closed when all goals are reached.
func (o *observer) awaited() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.reached
}

// times returns when the clusters were first asked and had all watches.
func (o *observer) times() (first, watched []time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.clusters {
		first, watched = append(first, c.first), append(watched, c.reached)
	}
	return first, watched
}

// startRecording records a cluster from now on, or none for -1.
func (o *observer) startRecording(cluster int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.recorded = cluster
	if cluster >= 0 {
		o.recording = nil
	}
}

func (o *observer) recordedRequests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]Request(nil), o.recording...)
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	code int
}

// WriteHeader sends the status.
func (s *statusWriter) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap lets http.ResponseController flush.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
