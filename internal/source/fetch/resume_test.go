package fetch

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

const tenBytes = "0123456789"

// where is what OpenAt returns beside the body.
type where struct {
	From      int64
	Validator string
}

func TestOpenAtGoesOnWhereTheServerAllowsIt(t *testing.T) {
	t.Parallel()
	const modified = "Sun, 01 Mar 2026 12:00:00 GMT"
	tests := map[string]struct {
		givenOffset    int64
		givenValidator string
		givenHandler   http.HandlerFunc
		wantBody       string
		want           where
		wantAsked      []string // Range, If-Range and Accept-Encoding of each request
	}{
		"from the beginning": {
			givenHandler: ranges(`"v1"`, ""),
			wantBody:     tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{"||gzip"},
		},
		"the rest of the same version": {
			givenOffset: 9, givenValidator: `"v1"`,
			givenHandler: ranges(`"v1"`, ""),
			wantBody:     "9", want: where{9, `"v1"`},
			wantAsked: []string{`bytes=9-|"v1"|identity`},
		},
		"the rest by the time of modification": {
			givenOffset: 9, givenValidator: modified,
			givenHandler: ranges("", modified),
			wantBody:     "9", want: where{9, modified},
			wantAsked: []string{"bytes=9-|" + modified + "|identity"},
		},
		"another version": {
			givenOffset: 9, givenValidator: `"v0"`,
			givenHandler: ranges(`"v1"`, ""),
			wantBody:     tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{`bytes=9-|"v0"|identity`},
		},
		"modified since": {
			givenOffset: 9, givenValidator: "Sun, 01 Mar 2026 11:00:00 GMT",
			givenHandler: ranges("", modified),
			wantBody:     tenBytes, want: where{0, modified},
			wantAsked: []string{"bytes=9-|Sun, 01 Mar 2026 11:00:00 GMT|identity"},
		},
		"a server that knows no ranges": {
			givenOffset: 9, givenValidator: `"v1"`,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { respond(w, tenBytes) },
			wantBody:     tenBytes,
			wantAsked:    []string{`bytes=9-|"v1"|identity`},
		},
		"an offset that is the end": {
			givenOffset: 10, givenValidator: `"v1"`,
			givenHandler: ranges(`"v1"`, ""),
			wantBody:     tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{`bytes=10-|"v1"|identity`, "||gzip"},
		},
		"no validator": {
			givenOffset: 9, givenHandler: ranges(`"v1"`, ""),
			wantBody: tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{"||gzip"},
		},
		"a validator that is a weak ETag": {
			givenOffset: 9, givenValidator: `W/"v1"`, givenHandler: ranges(`"v1"`, ""),
			wantBody: tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{"||gzip"},
		},
		"a validator that would end its header": {
			givenOffset: 9, givenValidator: "\"v1\r\nX-Forged: 1\"", givenHandler: ranges(`"v1"`, ""),
			wantBody: tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{"||gzip"},
		},
		"a negative offset": {
			givenOffset: -1, givenValidator: `"v1"`, givenHandler: ranges(`"v1"`, ""),
			wantBody: tenBytes, want: where{0, `"v1"`},
			wantAsked: []string{"||gzip"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := make(chan string, 10)
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked <- r.Header.Get("Range") + "|" + r.Header.Get("If-Range") + "|" + r.Header.Get("Accept-Encoding")
				tc.givenHandler(w, r)
			})
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback(), MaxBytes: 10}})
			body, from, validator, err := s.OpenAt(t.Context(), https(address+"/a.yaml"), tc.givenOffset, tc.givenValidator)
			wantBody(t, body, err, tc.wantBody)
			if got := (where{from, validator}); got != tc.want {
				t.Errorf("want %+v, got %+v", tc.want, got)
			}
			close(asked)
			var got []string
			for request := range asked {
				got = append(got, request)
			}
			if diff := cmp.Diff(tc.wantAsked, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOpenAtStartsAgainWhenAPartIsNotTheRest(t *testing.T) {
	t.Parallel()
	tests := map[string]http.Header{
		"no range":                          {},
		"a range of another unit":           {"Content-Range": {"lines 9-9/10"}},
		"a range that begins earlier":       {"Content-Range": {"bytes 8-8/10"}},
		"a range that begins later":         {"Content-Range": {"bytes 10-10/11"}},
		"a range that ends early":           {"Content-Range": {"bytes 9-9/11"}},
		"a range that is longer than sent":  {"Content-Range": {"bytes 9-10/11"}},
		"a range that ends before it began": {"Content-Range": {"bytes 9-8/9"}},
		"a range without a size":            {"Content-Range": {"bytes 9-9"}},
		"a range of an unsatisfied request": {"Content-Range": {"bytes */10"}},
		"a range with a sign":               {"Content-Range": {"bytes 9-+9/10"}},
		"a range out of numbers":            {"Content-Range": {"bytes 9-9/99999999999999999999"}},
		"several ranges":                    {"Content-Type": {"multipart/byteranges; boundary=x"}},
		"a part of another version":         {"Content-Range": {"bytes 9-9/10"}, "Etag": {`"v2"`}},
		"a part of what is compressed":      {"Content-Range": {"bytes 9-9/10"}, "Content-Encoding": {"gzip"}},
	}
	for name, header := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") == "" {
					respond(w, tenBytes)
					return
				}
				for key := range header {
					w.Header().Set(key, header.Get(key))
				}
				w.Header().Set("Content-Length", "1")
				w.WriteHeader(http.StatusPartialContent)
				_, _ = io.WriteString(w, "9")
			})
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})
			body, from, _, err := s.OpenAt(t.Context(), https(address+"/a.yaml"), 9, `"v1"`)
			wantBody(t, body, err, tenBytes)
			if from != 0 {
				t.Errorf("want 0, got %d", from)
			}
		})
	}
}

func TestOpenAtTakesAPartOfUnknownSize(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 9-9/*")
		w.WriteHeader(http.StatusPartialContent)
		flush(w, "9")
	})
	body, from, _, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).OpenAt(t.Context(), https(address+"/a.yaml"), 9, `"v1"`)
	wantBody(t, body, err, "9")
	if from != 9 {
		t.Errorf("want 9, got %d", from)
	}
}

func TestOnlyWhatNamesTheBytesIsAValidator(t *testing.T) {
	t.Parallel()
	const date = "Sun, 01 Mar 2026 12:00:00 GMT"
	tests := map[string]struct {
		given http.Header
		want  string
	}{
		"a strong ETag":           {given: http.Header{"Etag": {`"v1"`}}, want: `"v1"`},
		"an ETag of all":          {given: http.Header{"Etag": {`"v1"`}, "Accept-Ranges": {"bytes"}}, want: `"v1"`},
		"a weak ETag":             {given: http.Header{"Etag": {`W/"v1"`}}},
		"an ETag without quotes":  {given: http.Header{"Etag": {`v1`}}},
		"an ETag of one quote":    {given: http.Header{"Etag": {`"`}}},
		"an ETag of two values":   {given: http.Header{"Etag": {`"v1", "v2"`}}},
		"an ETag with a tab":      {given: http.Header{"Etag": {"\"v\t1\""}}},
		"an ETag in other script": {given: http.Header{"Etag": {`"ä"`}}},
		"an ETag out of size":     {given: http.Header{"Etag": {`"` + strings.Repeat("v", 255) + `"`}}},
		"a server that knows no ranges": {
			given: http.Header{"Etag": {`"v1"`}, "Accept-Ranges": {"none"}},
		},
		"a time of modification": {
			given: http.Header{"Last-Modified": {"Sun, 01 Mar 2026 11:59:59 GMT"}, "Date": {date}},
			want:  "Sun, 01 Mar 2026 11:59:59 GMT",
		},
		"a time of modification beside a weak ETag": {
			given: http.Header{
				"Etag": {`W/"v1"`}, "Last-Modified": {"Sun, 01 Mar 2026 11:59:59 GMT"}, "Date": {date},
			},
			want: "Sun, 01 Mar 2026 11:59:59 GMT",
		},
		"a modification in the same second": {given: http.Header{"Last-Modified": {date}, "Date": {date}}},
		"a modification by no clock":        {given: http.Header{"Last-Modified": {date}, "Date": {"now"}}},
		"a modification at no time":         {given: http.Header{"Last-Modified": {"then"}, "Date": {date}}},
		"what is compressed on the way":     {given: http.Header{"Etag": {`"v1"`}, "Content-Encoding": {"gzip"}}},
		"nothing":                           {given: http.Header{}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := validatorOf(&http.Response{Header: tc.given}); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}

func TestOpenAtReportsAPartThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	part := func(w http.ResponseWriter, header, content string) {
		w.Header().Set("Content-Range", header)
		w.WriteHeader(http.StatusPartialContent)
		flush(w, content)
	}
	tests := map[string]struct {
		givenOffset  int64
		givenHandler http.HandlerFunc
		wantClass    fault.Class
		wantReason   string
		wantText     string
	}{
		"a length one byte over the limit": {
			givenOffset: 9,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "2")
				part(w, "bytes 9-10/11", "9x")
			},
			wantClass: fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "11 bytes are more than the limit of 10 bytes",
		},
		"one byte over the limit without a length": {
			givenOffset:  9,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { part(w, "bytes 9-10/*", "9x") },
			wantClass:    fault.ClassStall, wantReason: v1alpha1.LimitExceededReason,
			wantText: "larger than the limit of 10 bytes",
		},
		"a part that is cut off": {
			givenOffset: 5,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "5")
				part(w, "bytes 5-9/10", "567")
			},
			wantReason: v1alpha1.FetchFailedReason, wantText: "cut off after 8 of 10 bytes",
		},
		"a server that is unavailable (503)": {
			givenOffset: 5,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "7")
				w.WriteHeader(http.StatusServiceUnavailable)
			},
			wantClass: fault.ClassWait, wantReason: v1alpha1.ThrottledReason, wantText: "503",
		},
		"a part that was not asked for": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { part(w, "bytes 0-4/10", "01234") },
			wantReason:   v1alpha1.FetchFailedReason, wantText: "the server answered 206",
		},
		"no range when none was asked for": {
			givenHandler: func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			},
			wantReason: v1alpha1.FetchFailedReason, wantText: "the server answered 416",
		},
		"a failure": {
			givenOffset:  5,
			givenHandler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			wantReason:   v1alpha1.FetchFailedReason, wantText: "the server answered 502",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := serve(t, tc.givenHandler)
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback(), MaxBytes: 10}})
			body, _, _, err := s.OpenAt(t.Context(), https(address+"/a.yaml"+secretQuery), tc.givenOffset, `"v1"`)
			if err == nil {
				defer body.Close()
				_, err = io.Copy(io.Discard, body)
			}
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, address+"/a.yaml", tc.wantText)
		})
	}
}

func TestWhatIsHereBeginsAtItsBeginning(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.yaml"), tenBytes)
	s := sources(t, Config{BundleDir: dir})
	for name, src := range map[string]v1alpha1.Source{"a file": file("a.yaml"), "inline": inline(tenBytes)} {
		body, from, validator, err := s.OpenAt(t.Context(), src, 9, `"v1"`)
		wantBody(t, body, err, tenBytes)
		if from != 0 || validator != "" {
			t.Errorf("%s: want 0 and no validator, got %d and %q", name, from, validator)
		}
	}
}

func TestDialContextDoesNotConnectToDeniedAddresses(t *testing.T) {
	t.Parallel()
	address := strings.TrimPrefix(serve(t, func(http.ResponseWriter, *http.Request) {}), "http://")
	_, err := sources(t, Config{}).DialContext(t.Context(), "tcp", address)
	faulttest.Want(t, httpclient.Sanitize(t.Context(), err), fault.ClassStall, v1alpha1.SourceDeniedReason,
		"127.0.0.1 is denied")

	conn, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != address {
		t.Errorf("want a connection to %s, got one to %s", address, got)
	}
}

// ranges answers with ten bytes, and with a part of them when asked for it.
func ranges(etag, modified string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if etag != "" {
			w.Header().Set("ETag", etag)
		}
		at, _ := http.ParseTime(modified)
		w.Header().Set("Date", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat))
		http.ServeContent(w, r, "a.yaml", at, strings.NewReader(tenBytes))
	}
}
