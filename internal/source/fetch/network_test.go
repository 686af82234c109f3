package fetch

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient/networktest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/store"
)

const fileSize = 1 << 20

func TestADownloadThatIsCutOffAtNinetyPercentGoesOnWithTheRest(t *testing.T) {
	t.Parallel()
	web := newWebFile(t)
	cache := openStore(t, t.TempDir())
	const cut = fileSize * 9 / 10
	bad := through(t, web.address, networktest.Fault{Limit: cut})

	_, err := web.resume(t, cache, bad, Config{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, bad+"/a.yaml: cut off after ", "of 1048576 bytes")
	web.forget()

	if size, err := web.resume(t, cache, web.address, Config{}); err != nil || size != fileSize {
		t.Fatalf("want %d bytes, got %d, %v", fileSize, size, err)
	}
	// The proxy counts the header too, which is shorter than one percent.
	if len(web.begins) != 1 || web.begins[0] > cut || web.begins[0] < cut-fileSize/100 {
		t.Errorf("want one request for the last ten percent, got requests from %v on", web.begins)
	}
}

func TestADownloadGoesOnOverABadNetwork(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given       networktest.Fault
		givenConfig Config
		wantErr     string // of the first time
		wantWhole   bool   // that the second time begins at 0
	}{
		"latency": {
			given: networktest.Fault{Delay: time.Millisecond},
		},
		"a reset before the first byte": {
			given:   networktest.Fault{Reset: true},
			wantErr: "connection reset by peer", wantWhole: true,
		},
		"a drip that is too slow": { // 16 KiB every 0.1 s
			given:       networktest.Fault{Delay: 100 * time.Millisecond},
			givenConfig: Config{DownloadTimeout: time.Second},
			wantErr:     httpclient.ErrTooLong.Error(),
		},
		"a drip below the minimum throughput": {
			given:       networktest.Fault{Delay: 100 * time.Millisecond},
			givenConfig: Config{StallTimeout: time.Second, MinThroughput: 1 << 20},
			wantErr:     httpclient.ErrSlow.Error(),
		},
		"a network that swallows everything": {
			given:       networktest.Fault{Swallow: true},
			givenConfig: Config{HeaderTimeout: 50 * time.Millisecond},
			wantErr:     "timeout awaiting response headers", wantWhole: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			web := newWebFile(t)
			dir := t.TempDir()
			bad := through(t, web.address, tc.given)
			_, err := web.resume(t, openStore(t, dir), bad, tc.givenConfig)
			if tc.wantErr == "" {
				if err != nil {
					t.Errorf("want no error, got %v", err)
				}
				return
			}
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, bad+"/a.yaml", tc.wantErr)
			web.forget()
			if size, err := web.resume(t, openStore(t, dir), web.address, Config{}); err != nil || size != fileSize {
				t.Errorf("want %d bytes, got %d, %v", fileSize, size, err)
			}
			if len(web.begins) != 1 || (web.begins[0] == 0) != tc.wantWhole {
				t.Errorf("want one request, from 0 on: %t, got requests from %v on", tc.wantWhole, web.begins)
			}
		})
	}
}

func TestAResetInTheMiddleLosesNothing(t *testing.T) {
	t.Parallel()
	web := newWebFile(t)
	cache := openStore(t, t.TempDir())
	// The bytes that came before the reset go through whole.
	address := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", "1048576")
		flush(w, web.content[:1000])
		panic(http.ErrAbortHandler)
	})
	if _, err := web.resume(t, cache, address, Config{}); fault.ReasonOf(err, "") != v1alpha1.FetchFailedReason {
		t.Fatalf("want %s, got %v", v1alpha1.FetchFailedReason, err)
	}
	web.forget()
	if _, err := web.resume(t, cache, web.address, Config{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int64{1000}, web.begins); diff != "" {
		t.Errorf("where requests began (-want +got):\n%s", diff)
	}
}

func TestADownloadThatIsCompressedOnTheWayIsNotResumed(t *testing.T) {
	t.Parallel()
	cache := openStore(t, t.TempDir())
	content := noise(1000)
	requests := 0
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Range") != "" {
			t.Error("want no range of what is compressed")
		}
		requests++
		w.Header().Set("ETag", `"v1"`)
		if requests == 1 {
			w.Header().Set("Content-Encoding", "gzip")
			flush(w, string(zip(content)[:500]))
			panic(http.ErrAbortHandler)
		}
		encoded("gzip", zip(content))(w, r)
	})
	web := &webFile{content: content}
	_, err := web.resume(t, cache, address, Config{})
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "gzip: cut off after 500 bytes")
	if _, err := web.resume(t, cache, address, Config{}); err != nil {
		t.Error(err)
	}
}

// webFile is a file on a web server that knows ranges.
type webFile struct {
	address, content string
	begins           []int64 // where the bodies began that the store was given
}

func newWebFile(t *testing.T) *webFile {
	t.Helper()
	content := noise(fileSize)
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
	})
	return &webFile{address: address, content: content}
}

func (f *webFile) forget() { f.begins = nil }

// resume brings the file from the server at address into the cache.
func (f *webFile) resume(t *testing.T, cache *store.Store, address string, cfg Config) (int64, error) {
	t.Helper()
	cfg.AllowCIDRs = loopback()
	s := sources(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := func(ctx context.Context, have store.Partial) (store.Body, error) {
		body, from, validator, err := s.OpenAt(ctx, https(address+"/a.yaml"), have.Offset, have.Validator)
		if err == nil {
			f.begins = append(f.begins, from)
		}
		return store.Body{ReadCloser: body, Offset: from, Validator: validator}, err
	}
	return cache.Resume(ctx, digest.FromString(f.content), address, open, fileSize)
}

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	cache, err := store.Open(dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cache.Close() })
	return cache
}

// through returns the URL of a bad network before the server at an address.
func through(t *testing.T, address string, fault networktest.Fault) string {
	t.Helper()
	return "http://" + networktest.Start(t, strings.TrimPrefix(address, "http://"), fault).Address()
}
