package workload

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/rollout"
)

// repeat writes a text again and again until the client is gone, or it was written
// often enough.
func repeat(w io.Writer, piece string, times int) {
	whole := []byte(strings.Repeat(piece, 1+(1<<20)/len(piece)))
	for left := times * len(piece); left > 0; left -= len(whole) {
		if _, err := w.Write(whole[:min(left, len(whole))]); err != nil {
			return
		}
	}
}

const forEver = 1 << 40

// TestAnAnswerIsBounded is about every request: what a hostile API server answers to
// it costs no more than the bound.
func TestAnAnswerIsBounded(t *testing.T) {
	t.Parallel()
	const endlessBody = "a body that never ends"
	tests := map[string]http.HandlerFunc{
		endlessBody: func(w http.ResponseWriter, _ *http.Request) { repeat(w, " ", forEver) },
		"a compressed body that is large unpacked": func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
				repeat(w, " ", forEver)
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			repeat(packed, " ", 1<<28)
			_ = packed.Close()
		},
		"a list of nothing, many times": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"items":[{}`)
			repeat(w, ",{}", 5<<20)
			_, _ = io.WriteString(w, `]}`)
		},
		"deep metadata": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"metadata":{"managedFields":[{}`)
			repeat(w, ",{}", 5<<20)
			_, _ = io.WriteString(w, `]}}`)
		},
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newHostile(t, answer)
			c := newClient(t, server.config())
			for method, request := range requests() {
				if name != endlessBody && method != "List" && method != "Object" {
					continue // one bound is enough, and it is the same for all
				}
				server.sent.Store(0)
				server.requests.Store(0)
				err := request.send(t.Context(), c)
				if method == "MoveFields" && err == nil {
					continue // nothing of its answer is decoded
				}
				if err == nil || !strings.Contains(err.Error(), "larger than 16 MiB") {
					t.Errorf("%s: want an answer that is too large, got %v", method, err)
				}
				most := server.requests.Load() * (maxAnswer + 8<<20) // and what a connection holds
				if got := server.sent.Load(); got > most || request.isSingle && server.requests.Load() > 1 {
					t.Errorf("%s: want one request and at most %d bytes, got %d, %d", method, most, server.requests.Load(), got)
				}
			}
		})
	}
}

// TestAListThatIsTooLargeIsReadInSmallerPages is about a cluster with large objects.
func TestAListThatIsTooLargeIsReadInSmallerPages(t *testing.T) {
	t.Parallel()
	var limits []string
	server := newHostile(t, func(w http.ResponseWriter, r *http.Request) {
		limits = append(limits, r.URL.Query().Get("limit"))
		if len(limits[len(limits)-1]) > 1 {
			repeat(w, " ", forEver)
		}
		_, _ = io.WriteString(w, `{"kind":"List","apiVersion":"v1","items":[{"kind":"A","apiVersion":"v1","metadata":{"name":"a"}}]}`)
	})
	c := newClient(t, server.config())
	for _, method := range []string{"List", "Objects"} {
		limits = nil
		if err := requests()[method].send(t.Context(), c); err != nil || strings.Join(limits, " ") != "500 62 7" {
			t.Errorf("%s: want smaller pages until one fits, got %v, %v", method, limits, err)
		}
	}
}

func TestAListThatNeverEndsDoes(t *testing.T) {
	t.Parallel()
	server := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"kind":"List","apiVersion":"v1","metadata":{"continue":"again"},"items":[]}`)
	})
	c := newClient(t, server.config())
	for _, method := range []string{"List", "Objects", "Definitions"} {
		err := requests()[method].send(t.Context(), c)
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.ApplyFailedReason, "more than 2000 pages")
	}
}

// TestAnErrorIsBounded is about the errors of a hostile API server: what is shown and
// logged of them is short, and they are decoded as nothing but errors.
func TestAnErrorIsBounded(t *testing.T) {
	t.Parallel()
	status := func(message string) string {
		return `{"kind":"Status","apiVersion":"v1","code":500,"reason":"InternalError","message":"` + message + `"}`
	}
	tests := map[string]struct{ contentType, answer, want string }{
		"a message of half a megabyte": {"application/json", status(strings.Repeat("long ", 100_000)), "HTTP 500 InternalError: long long"},
		"a message of 10 MB":           {"application/json", status(strings.Repeat("long ", 2_000_000)), "larger than 1 MiB"},
		"a reason of half a megabyte": {
			"application/json", strings.Replace(status("why"), "InternalError", strings.Repeat("Reason", 100_000), 1), "HTTP 500 Reason",
		},
		"a text of 10 MB":          {"text/plain", strings.Repeat("long ", 2_000_000), "larger than 1 MiB"},
		"a list that is no Status": {"application/json", `{"kind":"PodList","apiVersion":"v1","items":[{}]}`, "HTTP 500"},
		"JSON of no kind":          {"application/json", `{"secret":"of another server"}`, "HTTP 500"},
		"a message on many lines":  {"application/json", status(`one\ntwo`), "one two"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newHostile(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", tc.contentType)
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, tc.answer)
			})
			c := newClient(t, server.config())
			for method, request := range requests() {
				err := request.send(t.Context(), c)
				if method == "a watch" {
					continue // its errors are not shown
				}
				if err == nil || len(err.Error()) > 2*maxQuoted || !strings.Contains(err.Error(), tc.want) ||
					strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "of another server") {
					t.Errorf("%s: want a short line with %q, got %.200v", method, tc.want, err)
				}
			}
		})
	}
}

// TestWhatIsNoHTTPIsShort is about the errors of net/http, which quote the server.
func TestWhatIsNoHTTPIsShort(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, strings.Repeat("long ", 100_000)+"\r\n\r\n")
	}))
	t.Cleanup(server.Close)
	err := requests()["Object"].send(t.Context(), newClient(t, &rest.Config{Host: server.URL}))
	if err == nil || len(err.Error()) > 2*maxQuoted {
		t.Errorf("want a short error, got %d bytes: %.200v", len(err.Error()), err)
	}
}

func TestAnAPIServerSendsItsClientsNowhereElse(t *testing.T) {
	t.Parallel()
	internal := newHostile(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) })
	server := newHostile(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, internal.URL, http.StatusTemporaryRedirect)
	})
	cfg := server.config()
	cfg.TLSClientConfig = rest.TLSClientConfig{Insecure: true}
	c := newClient(t, cfg)
	for method, request := range requests() {
		if err := request.send(t.Context(), c); err == nil || internal.requests.Load() > 0 {
			t.Errorf("%s: want an error and no request elsewhere, got %v", method, err)
		}
	}
}

// silentServer is a transport of a server that accepts and answers late or never.
type silentServer struct {
	before, within time.Duration
}

func (s silentServer) RoundTrip(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.before):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	body, feed := io.Pipe()
	context.AfterFunc(r.Context(), func() { _ = feed.CloseWithError(r.Context().Err()) })
	go func() {
		for _, piece := range []string{`{"kind":"Any","apiVersion":"v1"`, `,"gitVersion":"v1.36.0"}`} {
			<-time.After(s.within)
			_, _ = io.WriteString(feed, piece)
		}
		_ = feed.Close()
	}()
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}

// TestAServerThatIsSilentIsNotWaitedFor is about every request: how long a worker is
// held, by a clock that is not real.
func TestAServerThatIsSilentIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	isWrite := map[string]bool{
		"Create": true, "Apply": true, "MoveFields": true, "Delete": true, "LetGo": true, "SaveParent": true,
	}
	tests := map[string]struct {
		given           silentServer
		wantErr         bool
		wantRead        time.Duration
		wantWritten     time.Duration
		wantWrittenOnly bool
	}{
		"it never answers":           {silentServer{time.Hour, 0}, true, stallTime, requestTimeout, false},
		"it never ends its answer":   {silentServer{0, time.Hour}, true, stallTime, stallTime, false},
		"a webhook takes its time":   {silentServer{25 * time.Second, 0}, false, stallTime, 25 * time.Second, true},
		"it answers slowly":          {silentServer{9 * time.Second, 9 * time.Second}, false, 27 * time.Second, 27 * time.Second, false},
		"a connection with a hiccup": {silentServer{time.Second, time.Second}, false, 3 * time.Second, 3 * time.Second, false},
	}
	for name, tc := range tests {
		for method, request := range requests() {
			if !request.isSingle {
				continue
			}
			t.Run(name+"/"+method, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, &rest.Config{Host: "http://example.com", Transport: tc.given})
					began := time.Now()
					err := request.send(t.Context(), c)
					want, wantErr := tc.wantRead, tc.wantErr || tc.wantWrittenOnly
					if isWrite[method] {
						want, wantErr = tc.wantWritten, tc.wantErr
					}
					if took := time.Since(began); took != want && method != "Served" && method != "Preferred" || (err != nil) != wantErr {
						t.Errorf("want it to take %v and an error %t, got %v, %v", want, wantErr, took, err)
					}
					if wantErr && method != "a watch" && !errors.Is(err, rollout.ErrUnanswered) {
						t.Errorf("want an error that ends the pass, got %v", err)
					}
					time.Sleep(2 * time.Hour) //nolint:forbidigo // in a bubble it takes no time: what is left of the server ends
				})
			})
		}
	}
}

// TestLargeAnswersWaitForAPlace is about the memory of all: a team's clusters have no
// more than two large answers read at once, and all no more than four.
func TestLargeAnswersWaitForAPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		all := newPlaces()
		taken := map[string]int{}
		var mu sync.Mutex
		for i := range 30 {
			namespace := fmt.Sprintf("team-%d", i%3)
			go func() {
				ctx, free := withRoom(t.Context(), all.of(namespace))
				defer free()
				silence := time.AfterFunc(time.Hour, func() {})
				if err := roomOf(ctx).grow(ctx, smallAnswer-1, silence); err != nil {
					t.Error(err)
				}
				if err := roomOf(ctx).grow(ctx, smallAnswer, silence); err != nil {
					t.Error(err)
				}
				mu.Lock()
				taken[namespace]++
				if mine, whole := taken[namespace], taken["team-0"]+taken["team-1"]+taken["team-2"]; mine > 2 || whole > 4 {
					t.Errorf("want at most 2 of a namespace and 4 at once, got %d, %d", mine, whole)
				}
				mu.Unlock()
				<-time.After(time.Second)
				mu.Lock()
				taken[namespace]--
				mu.Unlock()
			}()
		}
		began := time.Now()
		synctest.Wait()
		<-time.After(9 * time.Second)
		synctest.Wait()
		if whole := taken["team-0"] + taken["team-1"] + taken["team-2"]; whole > 0 {
			t.Errorf("want all 30 read after %v, got %d that are not", time.Since(began), whole)
		}
	})
}

func TestValuesAreCounted(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given string
		want  int
	}{
		"nothing":              {`{}`, 2},
		"members":              {`{"a":1,"b":2}`, 3},
		"what is in a string":  {`{"a":"[,{\",[\\\\"}`, 2},
		"objects in an array":  {`[{},{},{}]`, 7},
		"an array in an array": {`[[[]]]`, 4},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := nodes([]byte(tc.given)); got != tc.want {
				t.Errorf("want %d, got %d", tc.want, got)
			}
		})
	}
	if err := decode(bytes.Repeat([]byte("[{},"), maxNodes), &struct{}{}); !errors.Is(err, errTooLarge) {
		t.Errorf("want too many values, got %v", err)
	}
}
