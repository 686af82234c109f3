package fetch

import (
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

func TestRedirectsAreFollowedOnTheSameHost(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			address := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/end.yaml" {
					respond(w, "bytes of "+r.Method)
					return
				}
				w.Header().Set("Location", "end.yaml")
				w.WriteHeader(status)
			})
			body, err := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}).Open(t.Context(), https(address+"/a.yaml"))
			wantBody(t, body, err, "bytes of GET")
		})
	}
}

func TestRedirectsAreCounted(t *testing.T) {
	t.Parallel()
	// /xxx.yaml leads to /xx.yaml, and so on.
	countdown := func(w http.ResponseWriter, r *http.Request) {
		if rest := strings.TrimPrefix(r.URL.Path, "/x"); rest != ".yaml" {
			http.Redirect(w, r, "/"+rest, http.StatusFound)
			return
		}
		respond(w, "bytes")
	}
	address := serve(t, countdown)
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})

	body, err := s.Open(t.Context(), https(address+"/xxxxxx.yaml"))
	wantBody(t, body, err, "bytes")
	err = readAll(t.Context(), s, https(address+"/xxxxxxx.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, address+"/xxxxxxx.yaml", "more than 5 redirects")

	s = sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, MaxRedirects: 1})
	err = readAll(t.Context(), s, https(address+"/xxx.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than 1 redirects")
}

func TestNoRedirectIsFollowedWhenNoneIsAllowed(t *testing.T) {
	t.Parallel()
	var asked []string
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		http.Redirect(w, r, "/b.yaml", http.StatusFound)
	})
	cfg := DefaultConfig()
	cfg.AllowCIDRs, cfg.MaxRedirects = loopback(), 0
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = readAll(t.Context(), s, https(address+"/a.yaml"))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, address+"/a.yaml", "more than 0 redirects")
	if !slices.Equal(asked, []string{"/a.yaml"}) {
		t.Errorf("want one request, got %q", asked)
	}
}

func TestARedirectToItselfEnds(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/a.yaml", http.StatusFound) })
	err := readAll(t.Context(), sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}}), https(address+"/a.yaml"+secretQuery))
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, address+"/a.yaml", "more than 5 redirects")
}

func TestRedirectsOverHTTPSMayLeadToAnotherHost(t *testing.T) {
	t.Parallel()
	var authorization string
	end := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		authorization = r.Header.Get("Authorization")
		if r.URL.Path == "/missing.yaml" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		respond(w, "bytes")
	})
	start := serveTLS(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, end.URL+r.URL.Path+secretQuery, http.StatusFound)
	})
	roots := x509.NewCertPool()
	roots.AddCert(start.Certificate())
	roots.AddCert(end.Certificate())
	s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: roots})
	withUser := strings.Replace(start.URL, "://", "://hunter2:hunter2@", 1)

	body, err := s.Open(t.Context(), https(withUser+"/a.yaml"))
	wantBody(t, body, err, "bytes")
	if authorization != "" {
		t.Errorf("want the other host not to see the userinfo, got %q", authorization)
	}

	err = readAll(t.Context(), s, https(withUser+"/missing.yaml"))
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason,
		start.URL+"/missing.yaml: redirected to "+end.URL+": the server answered 404 Not Found")
}

func TestRedirectsThatAreRefused(t *testing.T) {
	t.Parallel()
	plainServer := serve(t, func(w http.ResponseWriter, _ *http.Request) { respond(w, "must not be read") })
	tests := map[string]struct {
		givenTLS      bool
		givenLocation string
		wantClass     fault.Class
		wantReason    string
		wantText      string
	}{
		"from https to http": {
			givenTLS: true, givenLocation: plainServer + "/a.yaml",
			wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			wantText: "redirected to another scheme, " + plainServer,
		},
		"from http to https": {
			givenLocation: "https://hunter2:hunter2@example.org/hunter2" + secretQuery,
			wantClass:     fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			wantText: "redirected to another scheme, https://example.org:",
		},
		"from http to another host's http": {
			givenLocation: plainServer + "/hunter2" + secretQuery,
			wantClass:     fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			wantText: "redirected without TLS to another host, " + plainServer,
		},
		"to a file": {
			givenTLS: true, givenLocation: "file:///etc/passwd",
			wantReason: v1alpha1.FetchFailedReason, wantText: "redirected to an invalid url",
		},
		"to what is no URL": {
			givenTLS: true, givenLocation: "https://hunter2:hunter2@exa mple.org/hunter2",
			wantReason: v1alpha1.FetchFailedReason, wantText: "redirected to an invalid url",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redirect := func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", tc.givenLocation)
				w.WriteHeader(http.StatusFound)
			}
			roots, address := x509.NewCertPool(), ""
			if tc.givenTLS {
				server := serveTLS(t, redirect)
				roots.AddCert(server.Certificate())
				address = server.URL
			} else {
				address = serve(t, redirect)
			}
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}, RootCAs: roots})
			err := readAll(t.Context(), s, https(address+"/a.yaml"+secretQuery))
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, address+"/a.yaml", tc.wantText)
		})
	}
}

func TestEveryResponseIsClosed(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect.yaml":
			http.Redirect(w, r, "/a.yaml", http.StatusFound)
		case "/missing.yaml":
			w.WriteHeader(http.StatusNotFound)
		case "/encoded.yaml":
			encoded("br", []byte("bytes"))(w, r)
		case "/zipped.yaml":
			encoded("gzip", zip("bytes"))(w, r)
		default:
			respond(w, "bytes")
		}
	})
	for _, path := range []string{"/a.yaml", "/redirect.yaml", "/missing.yaml", "/encoded.yaml", "/zipped.yaml"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			s := sources(t, Config{Settings: Settings{AllowCIDRs: loopback()}})
			bodies := &counted{RoundTripper: s.transport}
			s.transport = bodies
			_ = readAll(t.Context(), s, https(address+path))
			if bodies.opened == 0 || bodies.opened != bodies.closed {
				t.Errorf("want as many bodies closed as opened, got %d of %d", bodies.closed, bodies.opened)
			}
		})
	}
}

// counted counts the bodies of responses.
type counted struct {
	http.RoundTripper
	opened, closed int
}

func (c *counted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(req)
	if err == nil {
		c.opened++
		resp.Body = &stopping{ReadCloser: resp.Body, stop: func() { c.closed++ }}
	}
	return resp, err
}
