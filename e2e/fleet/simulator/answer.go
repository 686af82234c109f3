package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

const contentJSON = "application/json"

// answer is the answer to one request, which it counts.
type answer struct {
	http.ResponseWriter

	cluster *Cluster
	code    int
	// sent is the size of the body of the request, received that of the answer.
	sent, received int64
}

// WriteHeader sends the status.
func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// Write sends a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	a.received += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// count adds the answer, or what was sent of it, to the counters.
func (a *answer) count() {
	a.cluster.seen.answered(a.code, a.sent, a.received)
	a.sent, a.received = 0, 0
}

// body sends an answer with a body of JSON, in parts.
func (a *answer) body(code int, parts ...[]byte) {
	a.typed(code, contentJSON, parts...)
}

// typed is body with another content type.
func (a *answer) typed(code int, contentType string, parts ...[]byte) {
	a.Header().Set("Content-Type", contentType)
	a.WriteHeader(code)
	for _, part := range parts {
		if _, err := a.Write(part); err != nil {
			return // The client is gone.
		}
	}
}

func (a *answer) json(code int, value any) { a.body(code, mustJSON(value)) }

// status sends a Status.
func (a *answer) status(status *metav1.Status) {
	status.Kind, status.APIVersion = "Status", "v1"
	code := http.StatusOK
	if status.Code != 0 {
		code = int(status.Code)
	}
	a.json(code, status)
}

// notFoundPage is the answer for a path that no API server knows.
func (a *answer) notFoundPage() {
	a.Header().Set("Content-Type", "text/plain; charset=utf-8")
	a.WriteHeader(http.StatusNotFound)
	_, _ = a.Write([]byte("404 page not found\n")) // An error is that the client is gone.
}

// mustJSON returns the JSON of a value that has one.
func mustJSON(value any) []byte {
	content, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("JSON of %T: %v", value, err))
	}
	return content
}

// version is what the clusters say of themselves.
func (f *Fleet) version() *version.Info {
	return &version.Info{
		Major: "1", Minor: minorOf(f.options.Kubernetes), GitVersion: f.options.Kubernetes,
		GitTreeState: "clean", Compiler: "gc", Platform: "linux/amd64",
	}
}
