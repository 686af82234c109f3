package workload

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

const (
	// maxAnswer bounds the answer to a request, unpacked.
	maxAnswer = 16 << 20

	// maxRefusal bounds the answer that is an error: it quotes what was refused.
	maxRefusal = 1 << 20

	// maxNodes bounds the values of an answer: each takes many times its text in
	// memory. 500 Deployments with their managed fields have about 400,000.
	maxNodes = 500_000

	// stallTime is how long an API server may send nothing: before the answer to a
	// read begins, and while an answer is under way. A write has requestTimeout to
	// begin its answer, since the API server asks webhooks first.
	stallTime = 10 * time.Second
)

var errTooLarge = fmt.Errorf("the answer of the API server is larger than %d MiB or has more than %d values", maxAnswer>>20, maxNodes)

// errStalled is the error of a request whose answer does not begin, or go on.
var errStalled error = stalledError{}

type stalledError struct{}

func (stalledError) Error() string { return "the API server sent nothing for too long" }

// Timeout makes it a net.Error: it is what a deadline is.
func (stalledError) Timeout() bool { return true }

// Temporary completes net.Error.
func (stalledError) Temporary() bool { return true }

// answers is a transport that bounds what a workload cluster may answer, and how
// long it may be silent. Its API server belongs to somebody else. Of the answer to a
// watch that began, frames bounds what is read.
type answers struct{ next http.RoundTripper }

// RoundTrip sends a request. The errors are those of the transport and errStalled.
func (a answers) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(request.Context())
	silence := time.AfterFunc(silenceOf(request), func() { cancel(errStalled) })
	sent := request.WithContext(ctx)
	sendInPieces(sent)
	response, err := a.next.RoundTrip(sent)
	if err != nil {
		silence.Stop()
		cancel(nil)
		return nil, orStalled(ctx, err)
	}
	silence.Reset(stallTime)
	answer := &answer{
		ReadCloser: response.Body, ctx: ctx, cancel: cancel, silence: silence, left: maxAnswer,
		room: roomOf(request.Context()),
	}
	response.Body = answer
	switch {
	case response.StatusCode >= http.StatusBadRequest:
		return refusal(response)
	case request.URL.Query().Has("watch"):
		silence.Stop()
		answer.endless = true
	}
	return response, nil
}

// silenceOf returns how long the answer to a request may take to begin.
func silenceOf(request *http.Request) time.Duration {
	if request.Method == http.MethodGet {
		return stallTime
	}
	return requestTimeout
}

// orStalled returns errStalled if that ended the context, else err.
func orStalled(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errStalled) {
		return cause
	}
	return err
}

// answer is the body of an answer.
type answer struct {
	io.ReadCloser

	ctx     context.Context //nolint:containedctx // that of the request, which the body is a part of
	cancel  context.CancelCauseFunc
	silence *time.Timer
	left    int64
	room    *room
	endless bool // the answer to a watch
}

// Read reads what the bound allows. The errors are those of the body, errTooLarge and
// errStalled.
func (a *answer) Read(p []byte) (int, error) {
	if a.endless {
		return a.ReadCloser.Read(p)
	}
	if a.left < 0 {
		return 0, errTooLarge
	}
	if err := a.room.grow(a.ctx, maxAnswer-a.left, a.silence); err != nil {
		return 0, orStalled(a.ctx, err)
	}
	n, err := a.ReadCloser.Read(p[:min(int64(len(p)), a.left+1)])
	a.silence.Reset(stallTime)
	if a.left -= int64(n); a.left < 0 {
		return 0, errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = orStalled(a.ctx, err)
	}
	return n, err
}

// Close ends the request.
func (a *answer) Close() error {
	a.silence.Stop()
	err := a.ReadCloser.Close()
	a.cancel(nil)
	return err
}

// refusal returns an answer that is an error with a body that is safe to decode: a
// Status with a bounded message, or else text. client-go decodes whatever kind an
// error calls itself, and a list of 300,000 empty Pods fits in a megabyte.
func refusal(response *http.Response) (*http.Response, error) {
	defer response.Body.Close() //nolint:errcheck // nothing was written that could be lost
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal+1))
	if err != nil {
		return nil, err
	}
	status := &metav1.Status{}
	switch {
	case len(body) > maxRefusal:
		status.Message = fmt.Sprintf("the message of the API server is larger than %d MiB", maxRefusal>>20)
	case json.Unmarshal(body, status) != nil || status.Kind != "Status":
		return withBody(response, textOrNone(response), body), nil
	}
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	status.Status, status.Code = metav1.StatusFailure, int32(response.StatusCode) //nolint:gosec // three digits
	body, err = json.Marshal(status)
	if err != nil {
		return nil, err
	}
	return withBody(response, acceptJSON, body), nil
}

// textOrNone returns the type of a text, or else one that nobody decodes.
func textOrNone(response *http.Response) string {
	given := response.Header.Get("Content-Type")
	if given == "" || strings.HasPrefix(given, "text/") {
		return "text/plain"
	}
	return "application/octet-stream"
}

func withBody(response *http.Response, contentType string, body []byte) *http.Response {
	response.Header.Set("Content-Type", contentType)
	response.Header.Set("Content-Length", strconv.Itoa(len(body)))
	response.ContentLength = int64(len(body))
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response
}

// decode reads the body of an answer. Its values are counted before one is made.
func decode(body []byte, into any) error {
	if nodes(body) > maxNodes {
		return errTooLarge
	}
	if err := json.Unmarshal(body, into); err != nil {
		// The error quotes what it could not read.
		return fmt.Errorf("the answer is not of the type that was requested: %s", text.Line(err.Error(), maxQuoted))
	}
	return nil
}

// nodes returns an upper bound of the values in a JSON text. Each is the first of the
// text, of an object or of an array, or comes behind a comma.
func nodes(body []byte) int {
	n, quoted := 1, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}
