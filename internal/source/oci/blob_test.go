package oci_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func TestABlobIsReadFromAnOffset(t *testing.T) {
	t.Parallel()
	l := layerOf(t, artifact())
	header := func(status int, contentRange, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("Range") == "" {
				return false
			}
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	blob := "GET /v2/a/blobs/" + l.Digest.String()
	tests := map[string]struct {
		givenOffset  int64
		given        func(http.ResponseWriter, *http.Request) bool
		wantOffset   int64
		wantRequests []string
	}{
		"the whole":            {wantRequests: []string{blob}},
		"a part":               {givenOffset: 10, wantOffset: 10, wantRequests: []string{blob + " bytes=10-50"}},
		"the last byte":        {givenOffset: 50, wantOffset: 50, wantRequests: []string{blob + " bytes=50-50"}},
		"nothing that is left": {givenOffset: l.Size, wantOffset: l.Size},
		"a total that is hidden": {
			10, header(206, fmt.Sprintf("bytes 10-%d/*", l.Size-1), content[10:]), 10, []string{blob + " bytes=10-50"},
		},
		"a range that is ignored": {
			givenOffset: 10, given: header(200, "", content), wantRequests: []string{blob + " bytes=10-50"},
		},
		"a range that is refused": {
			givenOffset: 10, given: header(416, "", ""), wantRequests: []string{blob + " bytes=10-50", blob},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Push(t, "a", artifact(), "1")
			r.Intercept(tc.given)
			got, from, err := readBlob(t, client(t, oci.Config{}), plainRef(r, "a", "1"), l, tc.givenOffset, oci.Credentials{})
			if err != nil {
				t.Fatal(err)
			}
			if from != tc.wantOffset || got != content[tc.wantOffset:] {
				t.Errorf("want %q from %d, got %q from %d", content[tc.wantOffset:], tc.wantOffset, got, from)
			}
			if diff := cmp.Diff(tc.wantRequests, r.Requests()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABlobThatIsCutOffIsResumed(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("0123456789", 100_000)
	a := ocitest.NewArtifact(ocitest.File{MediaType: yamlType, Content: []byte(body)})
	r := ocitest.New(t, ocitest.Options{})
	r.Push(t, "a", a, "1")
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if req.Header.Get("Range") != "" {
			return false
		}
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		_, _ = io.WriteString(w, body[:900_000])
		return true
	})
	c, ref, l := client(t, oci.Config{}), plainRef(r, "a", "1"), layerOf(t, a)
	first, from, err := readBlob(t, c, ref, l, 0, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason,
		"/a:1: layer "+l.Digest.String(), "cut off after 900000 bytes")
	if from != 0 || len(first) != 900_000 {
		t.Fatalf("want 900000 bytes from 0, got %d from %d", len(first), from)
	}
	rest, from, err := readBlob(t, c, ref, l, int64(len(first)), oci.Credentials{})
	if err != nil || from != 900_000 || first+rest != body {
		t.Errorf("want the last 100000 bytes, got %d from %d: %v", len(rest), from, err)
	}
}

func TestABlobThatIsNotWhatTheManifestSays(t *testing.T) {
	t.Parallel()
	l := layerOf(t, artifact())
	send := func(status int, headers map[string]string, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for key, value := range headers {
				w.Header().Set(key, value)
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
			if headers == nil {
				_ = http.NewResponseController(w).Flush()
			}
			return true
		}
	}
	tests := map[string]struct {
		givenOffset int64
		given       func(http.ResponseWriter, *http.Request) bool
		wantClass   fault.Class
		wantReason  string
		wantText    string
	}{
		"a length over the size": {
			0, send(200, map[string]string{"Content-Length": "1000"}, strings.Repeat("x", 1000)),
			fault.ClassStall, v1alpha1.DigestMismatchReason, "sends 1000 bytes or more where the manifest says 51",
		},
		"a length below the size": {
			0, send(200, map[string]string{"Content-Length": "3"}, "abc"),
			fault.ClassStall, v1alpha1.DigestMismatchReason, "sends 3 bytes",
		},
		"a byte too many without a length": {
			0, func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = io.WriteString(w, content[:3])
				_ = http.NewResponseController(w).Flush()
				_, _ = io.WriteString(w, content[3:]+"x")
				return true
			},
			fault.ClassStall, v1alpha1.DigestMismatchReason, "sends 52 bytes or more where the manifest says 51",
		},
		"a byte too few without a length": {
			0, func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = io.WriteString(w, content[:3])
				_ = http.NewResponseController(w).Flush()
				_, _ = io.WriteString(w, content[3:50])
				return true
			},
			fault.ClassRetry, v1alpha1.FetchFailedReason, "cut off after 50 bytes",
		},
		"another range": {
			10, send(206, map[string]string{"Content-Range": "bytes 9-50/51"}, content[9:]),
			fault.ClassRetry, v1alpha1.FetchFailedReason, "another range",
		},
		"a range that ends early": {
			10, send(206, map[string]string{"Content-Range": "bytes 10-20/51"}, content[10:21]),
			fault.ClassRetry, v1alpha1.FetchFailedReason, "another range",
		},
		"a range of something larger": {
			10, send(206, map[string]string{"Content-Range": "bytes 10-50/99"}, content[10:]),
			fault.ClassRetry, v1alpha1.FetchFailedReason, "another range",
		},
		"a range without its header": {
			10, send(206, map[string]string{}, content[10:]), fault.ClassRetry, v1alpha1.FetchFailedReason, "another range",
		},
		"a range that nobody asked for": {
			0, send(206, map[string]string{"Content-Range": "bytes 0-50/51"}, content),
			fault.ClassRetry, v1alpha1.FetchFailedReason, "another range",
		},
		"no such layer": {
			0, send(404, map[string]string{}, ""), fault.ClassRetry, v1alpha1.FetchFailedReason, "not found (404",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(tc.given)
			_, _, err := readBlob(t, client(t, oci.Config{}), plainRef(r, "a", "1"), l, tc.givenOffset, oci.Credentials{})
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, r.Host()+"/a:1: layer "+l.Digest.String()+": ", tc.wantText)
		})
	}
}

func TestAnOffsetOutsideTheBlobIsRefused(t *testing.T) {
	t.Parallel()
	l := layerOf(t, artifact())
	ref := oci.Reference{Repository: "registry.invalid/a", Tag: "1"}
	for _, offset := range []int64{-1, l.Size + 1} {
		_, _, err := readBlob(t, client(t, oci.Config{}), ref, l, offset, oci.Credentials{})
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "registry.invalid/a:1: the offset")
	}
	l.Digest = digest.SHA512.FromString("a")
	_, _, err := readBlob(t, client(t, oci.Config{}), ref, l, 0, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "registry.invalid/a: ", "not one of sha256")
}

// elsewhere is a server of blobs that redirects lead to. It counts the logins
// that it sees.
type elsewhere struct {
	*httptest.Server
	logins int
}

func newElsewhere(t *testing.T, secure bool, status int) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			e.logins++
		}
		if r.URL.Query().Get("signature") != secret {
			status = http.StatusForbidden
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="mine"`)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, content)
	}))
	if secure {
		e.StartTLS()
	} else {
		e.Start()
	}
	t.Cleanup(e.Close)
	return e
}

func TestRedirectsOfBlobs(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenStatus int
		givenPlain  bool
		wantClass   fault.Class
		wantReason  string
		wantTexts   []string
	}{
		"to another host": {givenStatus: http.StatusOK},
		"to a host that refuses": {
			givenStatus: http.StatusForbidden, wantReason: v1alpha1.FetchFailedReason,
			wantTexts: []string{"redirected to https://127.0.0.1:", "the server answered 403 Forbidden"},
		},
		"to a host that asks who we are": {
			givenStatus: http.StatusUnauthorized, wantReason: v1alpha1.FetchFailedReason,
			wantTexts: []string{"redirected to https://127.0.0.1:", "the server answered 401 Unauthorized"},
		},
		"to a host without TLS": {
			givenStatus: http.StatusOK, givenPlain: true, wantClass: fault.ClassStall, wantReason: v1alpha1.SourceDeniedReason,
			wantTexts: []string{"redirected to another scheme, http://127.0.0.1:"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newElsewhere(t, !tc.givenPlain, tc.givenStatus)
			r := ocitest.New(t, ocitest.Options{TLS: true, Bearer: true, Username: "jane", Password: "hunter2"})
			r.Push(t, "bundles/calico", artifact(), "1.0.0")
			authorized := 0
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				if !blobs(req) || req.Header.Get("Authorization") == "" {
					return false
				}
				authorized++
				http.Redirect(w, req, e.URL+"/blob?signature=hunter2", http.StatusTemporaryRedirect)
				return true
			})
			creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
			if !tc.givenPlain {
				creds.RootCAs = x509.NewCertPool()
				creds.RootCAs.AddCert(r.Server.Certificate())
				creds.RootCAs.AddCert(e.Certificate())
			}
			got, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
			if tc.wantReason == "" {
				wantPulled(t, got, err)
			} else {
				faulttest.Want(t, err, tc.wantClass, tc.wantReason, tc.wantTexts...)
			}
			if authorized != 1 || e.logins != 0 {
				t.Errorf("want a login at the registry only, got %d there and %d elsewhere", authorized, e.logins)
			}
		})
	}
}

func TestRedirectsWithoutTLSStayOnTheHost(t *testing.T) {
	t.Parallel()
	e := newElsewhere(t, false, http.StatusOK)
	r := ocitest.New(t, ocitest.Options{})
	r.Push(t, "a", artifact(), "1")
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if blobs(req) {
			http.Redirect(w, req, e.URL+"/hunter2?signature=hunter2", http.StatusFound)
		}
		return blobs(req)
	})
	_, err := pull(t, client(t, oci.Config{}), plainRef(r, "a", "1"), oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceDeniedReason, "redirected without TLS to another host, "+e.URL)
}

func TestALoginThatLeftTheHostDoesNotComeBack(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "hunter2"})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	back := httptest.NewTLSServer(http.RedirectHandler(r.Server.URL+"/back", http.StatusFound))
	t.Cleanup(back.Close)
	seen := "nothing"
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case req.URL.Path == "/back":
			seen = req.Header.Get("Authorization")
			_, _ = io.WriteString(w, content)
			return true
		case blobs(req) && req.Header.Get("Authorization") != "":
			http.Redirect(w, req, back.URL, http.StatusFound)
			return true
		}
		return false
	})
	creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
	creds.RootCAs.AddCert(back.Certificate())
	got, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
	wantPulled(t, got, err)
	if seen != "" {
		t.Errorf("want no login after another host, got %q", seen)
	}
}

func TestAnotherHostIsNotShownTheClientCertificate(t *testing.T) {
	t.Parallel()
	certificate, key, roots := clientCertificate(t)
	r := ocitest.New(t, ocitest.Options{TLS: true, ClientCAs: roots})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	shown := -1
	e := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		shown = len(req.TLS.PeerCertificates)
		_, _ = io.WriteString(w, content)
	}))
	e.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	e.StartTLS()
	t.Cleanup(e.Close)
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if blobs(req) {
			http.Redirect(w, req, e.URL, http.StatusFound)
		}
		return blobs(req)
	})
	creds := credentials(t, r, map[string]string{"tls.crt": certificate, "tls.key": key})
	creds.RootCAs.AddCert(e.Certificate())
	got, err := pull(t, client(t, oci.Config{}), tlsRef(r), creds)
	wantPulled(t, got, err)
	if shown != 0 {
		t.Errorf("want no certificate elsewhere, got %d", shown)
	}
}

func TestRedirectsEnd(t *testing.T) {
	t.Parallel()
	for name, location := range map[string]string{"in a circle": "/again", "nowhere": "http://%zz"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Location", location)
				w.WriteHeader(http.StatusFound)
				return true
			})
			_, err := pull(t, client(t, oci.Config{MaxRedirects: 2}), plainRef(r, "a", "1"), oci.Credentials{})
			if name == "nowhere" {
				faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "redirected to an invalid url")
				return
			}
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than 2 redirects")
			if len(r.Requests()) != 3 {
				t.Errorf("want 3 requests, got %q", r.Requests())
			}
		})
	}
}

func TestTransfersThatDoNotGoOnAreCut(t *testing.T) {
	t.Parallel()
	const short = 50 * time.Millisecond
	l := layerOf(t, artifact())
	silent := func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true }
	halfway := func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.WriteString(w, content[:20])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		return true
	}
	tests := map[string]struct {
		given    oci.Config
		handler  func(http.ResponseWriter, *http.Request) bool
		wantText string
	}{
		"no header": {oci.Config{HeaderTimeout: short}, silent, "timeout awaiting response headers"},
		"half a blob": {
			oci.Config{StallTimeout: short}, halfway, "the server stopped sending: no byte for 50ms",
		},
		"a blob that takes too long": {
			oci.Config{DownloadTimeout: short}, halfway, "the download takes too long: more than 50ms",
		},
		"no header before it takes too long": {
			oci.Config{DownloadTimeout: short}, silent, "the download takes too long: more than 50ms",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(tc.handler)
			_, _, err := readBlob(t, client(t, tc.given), plainRef(r, "a", "1"), l, 0, oci.Credentials{})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, r.Host()+"/a:1: ", tc.wantText)
		})
	}
}

func TestABlobEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		_, _ = io.WriteString(w, content[:20])
		_ = http.NewResponseController(w).Flush()
		<-req.Context().Done()
		return true
	})
	ctx, cancel := context.WithCancel(t.Context())
	body, _, err := client(t, oci.Config{}).Blob(ctx, plainRef(r, "a", "1"), layerOf(t, artifact()), 0, oci.Credentials{})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	cancel()
	_, err = io.ReadAll(body)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("want %v in the chain, got %v", context.Canceled, err)
	}
}
