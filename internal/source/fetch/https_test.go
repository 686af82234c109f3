package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const secretQuery = "?hunter2=hunter2"

func TestOpenHTTPSReadsAFile(t *testing.T) {
	t.Parallel()
	large := noise(1<<20 + 1<<16)
	tests := map[string]struct {
		givenMax     int64
		givenHandler http.HandlerFunc
		want         string
	}{
		"a file with a length": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { respond(w, "bytes") },
			want:         "bytes",
		},
		"an empty file": {
			givenHandler: func(http.ResponseWriter, *http.Request) {},
		},
		"a file without a length": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { flush(w, "by"); flush(w, "tes") },
			want:         "bytes",
		},
		"a file as large as the limit": {
			givenMax:     5,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { flush(w, "bytes") },
			want:         "bytes",
		},
		"a compressed file": {
			givenHandler: encoded("gzip", zip(large)),
			want:         large,
		},
		"a compressed file by the old name": {
			givenHandler: encoded("X-GZIP", zip("bytes")),
			want:         "bytes",
		},
		"a file that is named as not encoded": {
			givenHandler: encoded("identity", []byte("bytes")),
			want:         "bytes",
		},
		"a small file that compresses beyond the ratio": {
			givenHandler: encoded("gzip", zip(strings.Repeat(" ", 1<<20))),
			want:         strings.Repeat(" ", 1<<20),
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sources(t, Config{Settings: Settings{MaxBytes: tc.givenMax, AllowCIDRs: loopback()}})
			body, err := s.Open(t.Context(), https(serve(t, tc.givenHandler)+"/a.yaml"))
			wantBody(t, body, err, tc.want)
		})
	}
}

func TestOpenHTTPSVerifiesTheServer(t *testing.T) {
	t.Parallel()
	server := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "bytes") })
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())

	body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: roots}).Open(t.Context(), https(server.URL+"/a.yaml"))
	wantBody(t, body, err, "bytes")

	err = readAll(t.Context(), sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: x509.NewCertPool()}),
		https(server.URL+"/a.yaml"))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, server.URL+"/a.yaml", "unknown authority",
		"name a Secret with its authority, key ca.crt, in caRef")
}

func TestOpenHTTPSNamesTheSchemeThatTheServerSpeaks(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "bytes") })
	secure := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "bytes") }).URL
	for url, want := range map[string]string{
		strings.Replace(plain, "http:", "https:", 1):  "the server speaks no TLS: use a url with http://",
		strings.Replace(secure, "https:", "http:", 1): "400 Bad Request: it may speak TLS: use a url with https://",
	} {
		err := readAll(t.Context(), sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}), https(url+"/a.yaml"))
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, url+"/a.yaml", want)
	}
}

func TestOpenHTTPSSendsWhatItShould(t *testing.T) {
	t.Parallel()
	var got *http.Request
	server := serveTLS(t, func(_ http.ResponseWriter, r *http.Request) { got = r })
	withUser := strings.Replace(server.URL, "://", "://hunter2:hunter2@", 1)
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, UserAgent: "caapb/v1.2.3", RootCAs: trust(server)})
	if err := readAll(t.Context(), s, https(withUser+"/a.yaml"+secretQuery)); err != nil {
		t.Fatal(err)
	}
	if user, password, _ := got.BasicAuth(); user != "hunter2" || password != "hunter2" {
		t.Errorf("want the userinfo as basic authentication, got %q, %q", user, password)
	}
	want := map[string]string{"User-Agent": "caapb/v1.2.3", "Accept-Encoding": "gzip", "Referer": ""}
	for header, value := range want {
		if got.Header.Get(header) != value {
			t.Errorf("%s: want %q, got %q", header, value, got.Header.Get(header))
		}
	}
	if got.RequestURI != "/a.yaml"+secretQuery || "https://"+got.Host != server.URL {
		t.Errorf("want %s of %s, got %s of %s", "/a.yaml"+secretQuery, server.URL, got.RequestURI, got.Host)
	}
}

func TestOpenHTTPSUsesTheProxy(t *testing.T) {
	t.Parallel()
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) { respond(w, "proxied "+r.RequestURI) })
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }})
	body, err := s.Open(t.Context(), https("http://upstream.invalid/a.yaml"))
	wantBody(t, body, err, "proxied http://upstream.invalid/a.yaml")
}

func TestOpenHTTPSReportsWhatTheServerAnswered(t *testing.T) {
	t.Parallel()
	for _, status := range []int{204, 206, 302, 304, 400, 401, 403, 404, 410, 500, 502, 504, 599} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			server := serveTLS(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			withUser := strings.Replace(server.URL, "://", "://hunter2:hunter2@", 1)
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: trust(server)})
			err := readAll(t.Context(), s, https(withUser+"/a.yaml"+secretQuery))
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason,
				server.URL+"/a.yaml: the server answered "+fmt.Sprint(status))
		})
	}
}

func TestOpenHTTPSWaitsWhenTheServerAsksForIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		givenStatus int
		givenHeader string
		want        time.Duration
	}{
		"seconds":             {givenStatus: 429, givenHeader: "120", want: 2 * time.Minute},
		"a date":              {givenStatus: 429, givenHeader: "Sun, 01 Mar 2026 12:01:00 GMT", want: time.Minute},
		"a date that is past": {givenStatus: 429, givenHeader: "Sun, 01 Mar 2026 11:00:00 GMT", want: time.Second},
		"a date that is far away": {
			givenStatus: 429, givenHeader: "Mon, 01 Mar 2027 11:00:00 GMT", want: 10 * time.Minute,
		},
		"no seconds":                    {givenStatus: 429, givenHeader: "0", want: time.Second},
		"fewer than no seconds":         {givenStatus: 429, givenHeader: "-9223372036854775808", want: time.Second},
		"more seconds than we wait":     {givenStatus: 503, givenHeader: "9223372036854775807", want: 10 * time.Minute},
		"more seconds than are counted": {givenStatus: 503, givenHeader: "99999999999999999999", want: 30 * time.Second},
		"no header":                     {givenStatus: 503, want: 30 * time.Second},
		"a header without sense":        {givenStatus: 429, givenHeader: "later", want: 30 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tc.givenHeader != "" {
					w.Header().Set("Retry-After", tc.givenHeader)
				}
				w.WriteHeader(tc.givenStatus)
			})
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})
			s.now = func() time.Time { return now }
			err := readAll(t.Context(), s, https(address+"/a.yaml"+secretQuery))
			faulttest.Want(t, err, fault.ClassWait, v1alpha1.ThrottledReason, address+"/a.yaml", fmt.Sprint(tc.givenStatus))
			if e, ok := errors.AsType[*fault.Error](err); ok && e.After != tc.want {
				t.Errorf("want %v, got %v", tc.want, e.After)
			}
		})
	}
}

func TestOpenHTTPSReportsABodyThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	bomb := zip(strings.Repeat(" ", 4<<20))
	tests := map[string]struct {
		givenHandler http.HandlerFunc
		wantClass    fault.Class
		wantReason   string
		wantErr      error
		wantText     string
	}{
		"a length one byte over the limit": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { respond(w, strings.Repeat("x", 2<<20+1)) },
			wantClass:    fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "2097153 bytes are more than the limit of 2097152 bytes",
		},
		"one byte over the limit without a length": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { flush(w, strings.Repeat("x", 2<<20+1)) },
			wantClass:    fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "larger than the limit of 2097152 bytes",
		},
		"one byte over the limit when decompressed": {
			givenHandler: encoded("gzip", zip(noise(2<<20+1))),
			wantClass:    fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "larger than the limit of 2097152 bytes",
		},
		"a compression bomb": {
			givenHandler: encoded("gzip", bomb),
			wantClass:    fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "compression ratio is over the limit of 200",
		},
		"a body that is shorter than its length": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "10")
				flush(w, "byte")
			},
			wantReason: v1alpha1.FetchFailedReason, wantErr: io.ErrUnexpectedEOF,
			wantText: "cut off after 4 of 10 bytes",
		},
		"a body without a length whose connection breaks": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				flush(w, "byte")
				panic(http.ErrAbortHandler)
			},
			wantReason: v1alpha1.FetchFailedReason, wantErr: io.ErrUnexpectedEOF,
			wantText: "cut off after 4 bytes",
		},
		"a compressed body that is shorter than its length": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				w.Header().Set("Content-Length", "1000")
				flush(w, string(zip("bytes")[:15]))
			},
			wantReason: v1alpha1.FetchFailedReason, wantErr: io.ErrUnexpectedEOF,
			wantText: "gzip: cut off after 15 of 1000 bytes",
		},
		"a compressed stream without its end": {
			givenHandler: encoded("gzip", zip("bytes")[:15]),
			wantReason:   v1alpha1.FetchFailedReason, wantErr: io.ErrUnexpectedEOF,
			wantText: "gzip: unexpected EOF",
		},
		"a compressed stream without anything": {
			givenHandler: encoded("gzip", nil),
			wantReason:   v1alpha1.FetchFailedReason, wantErr: io.ErrUnexpectedEOF,
			wantText: "gzip: unexpected EOF",
		},
		"a compressed stream that is none": {
			givenHandler: encoded("gzip", []byte("kind: Namespace")),
			wantReason:   v1alpha1.FetchFailedReason, wantErr: gzip.ErrHeader,
			wantText: "gzip: invalid header",
		},
		"an encoding that was not asked for": {
			givenHandler: encoded("br"+strings.Repeat("o", 1000), []byte("bytes")),
			wantReason:   v1alpha1.FetchFailedReason,
			wantText:     `the content encoding "br` + strings.Repeat("o", 35) + `…"`,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, tc.givenHandler)
			err := readAll(t.Context(), sources(t, Config{Settings: Settings{MaxBytes: 2 << 20, AllowCIDRs: loopback()}}),
				https(address+"/a.yaml"+secretQuery))
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, address+"/a.yaml", tc.wantText)
			if tc.wantErr != nil && !errors.Is(err, tc.wantErr) {
				t.Errorf("want %v in the chain, got %v", tc.wantErr, err)
			}
		})
	}
}

func TestOpenHTTPSGivesUpOnAServerThatDoesNotGoOn(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	silent := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	halfway := func(w http.ResponseWriter, r *http.Request) {
		flush(w, "half")
		<-r.Context().Done()
	}
	tests := map[string]struct {
		given        Config
		givenHandler http.HandlerFunc
		wantErr      error
		wantText     string
	}{
		"no header": {
			given: Config{HeaderTimeout: short}, givenHandler: silent,
			wantText: "timeout awaiting response headers",
		},
		"half a body": {
			given: Config{StallTimeout: short}, givenHandler: halfway,
			wantErr: httpclient.ErrStalled, wantText: "no byte for 50ms",
		},
		"half a body that is compressed": {
			given: Config{StallTimeout: short},
			givenHandler: func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				halfway(w, r)
			},
			wantErr: httpclient.ErrStalled, wantText: "no byte for 50ms",
		},
		"a download that takes too long": {
			given: Config{DownloadTimeout: short}, givenHandler: halfway,
			wantErr: httpclient.ErrTooLong, wantText: "more than 50ms",
		},
		"no header before the download takes too long": {
			given: Config{DownloadTimeout: short}, givenHandler: silent,
			wantErr: httpclient.ErrTooLong, wantText: "more than 50ms",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.given.AllowCIDRs = loopback()
			address := serve(t, tc.givenHandler)
			err := readAll(t.Context(), sources(t, tc.given), https(address+"/a.yaml"+secretQuery))
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, address+"/a.yaml", tc.wantText)
			if tc.wantErr != nil && !errors.Is(err, tc.wantErr) {
				t.Errorf("want %v in the chain, got %v", tc.wantErr, err)
			}
		})
	}
}

func TestOpenHTTPSStopsWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		flush(w, "half")
		<-r.Context().Done()
	})
	body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).Open(ctx, https(address+"/a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if _, err := io.ReadFull(body, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = body.Read(make([]byte, 1))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, address)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want %v in the chain, got %v", context.Canceled, err)
	}
}

func TestOpenHTTPSRefusesAURLThatIsNone(t *testing.T) {
	t.Parallel()
	for _, given := range []string{
		"", "a.yaml", "ftp://hunter2:hunter2@example.org/a.yaml", "file:///etc/passwd", "https:///a.yaml",
		"http:example.org", "https://hunter2:hunter2@exa mple.org/", "https://hunter2:hunter2@example.org:hunter2/",
	} {
		t.Run(given, func(t *testing.T) {
			t.Parallel()
			err := readAll(t.Context(), sources(t, Config{}), https(given))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason)
		})
	}
}

func TestADownloadWithAnotherDigestIsNotStored(t *testing.T) {
	t.Parallel()
	cache, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "changed") })
	body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).Open(t.Context(), https(address+"/a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()

	_, err = cache.Commit(t.Context(), someDigest, body, 100)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.DigestMismatchReason, someDigest)
	if got := digest.FromString("changed").String(); strings.Contains(err.Error(), got) {
		t.Errorf("want nothing about the bytes that came, got %v", err)
	}
	if _, ok := cache.Has(someDigest); ok {
		t.Error("want nothing in the store")
	}
}

// loopback is where test servers are.
func loopback() []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }

// serve starts a web server and returns its URL.
func serve(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	return server.URL
}

// serveTLS starts a web server with a certificate of its own.
func serveTLS(t *testing.T, serve http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

// trust returns the authorities that the servers are verified with.
func trust(servers ...*httptest.Server) *x509.CertPool {
	roots := x509.NewCertPool()
	for _, server := range servers {
		roots.AddCert(server.Certificate())
	}
	return roots
}

// respond answers with content and its length.
func respond(w http.ResponseWriter, content string) {
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	_, _ = io.WriteString(w, content)
}

// flush answers with content as a part.
func flush(w http.ResponseWriter, content string) {
	_, _ = io.WriteString(w, content)
	w.(http.Flusher).Flush()
}

// encoded answers with content in an encoding.
func encoded(encoding string, content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", encoding)
		respond(w, string(content))
	}
}

func zip(content string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.WriteString(w, content)
	_ = w.Close()
	return out.Bytes()
}

// noise returns n bytes that do not compress beyond the ratio.
func noise(n int) string {
	random := make([]byte, n/2+1)
	_, _ = rand.NewChaCha8([32]byte{}).Read(random)
	return hex.EncodeToString(random)[:n]
}
