package fetch

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
)

const someDigest = "sha256:192f8b2d934ef24b62e86b7e1a6e1762d1c8af26a916f78057bc13fa5ed60f71"

func TestDigestNameAndDescribe(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given        v1alpha1.Source
		wantName     string
		wantDescribe string
	}{
		"a file on a web server": {
			given:        https("https://example.org/v1/operator.yaml"),
			wantName:     "operator.yaml",
			wantDescribe: "https://example.org/v1/operator.yaml",
		},
		"a URL that holds secrets": {
			given:        https("https://hunter2:hunter2@example.org:8443/v1/operator.yaml?hunter2=hunter2#hunter2"),
			wantName:     "operator.yaml",
			wantDescribe: "https://example.org:8443/v1/operator.yaml",
		},
		"a URL without a path": {
			given:        https("https://hunter2:hunter2@example.org?hunter2=hunter2"),
			wantName:     "example.org",
			wantDescribe: "https://example.org",
		},
		"a URL that ends in a slash": {
			given:        https("https://example.org/v1/"),
			wantName:     "v1",
			wantDescribe: "https://example.org/v1/",
		},
		"a URL with an escaped newline": {
			given:        https("https://example.org/a%0Ab%2Fc"),
			wantName:     "a%0Ab%2Fc",
			wantDescribe: "https://example.org/a%0Ab%2Fc",
		},
		"a URL that cannot be parsed": {
			given:        https("https://hunter2:hunter2@exa mple.org/%zz"),
			wantName:     "invalid url",
			wantDescribe: "invalid url",
		},
		"a file": {
			given:        file("calico/operator.yaml"),
			wantName:     "calico/operator.yaml",
			wantDescribe: "calico/operator.yaml",
		},
		"inline manifests": {
			given:        inline("abc"),
			wantName:     "inline",
			wantDescribe: "inline",
		},
		"nothing": {wantName: "empty source", wantDescribe: "empty source"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Name(tc.given); got != tc.wantName {
				t.Errorf("Name: want %q, got %q", tc.wantName, got)
			}
			if got := Describe(tc.given); got != tc.wantDescribe {
				t.Errorf("Describe: want %q, got %q", tc.wantDescribe, got)
			}
		})
	}
}

func TestTheDefaultsAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	got := DefaultConfig()
	if _, err := New(got); err != nil {
		t.Errorf("want the defaults to be valid, got %v", err)
	}
	want := Config{
		UserAgent:       "cluster-api-addon-provider-bundle",
		Settings:        Settings{MaxBytes: 512 * 1024 * 1024, MaxRatio: 200},
		MaxRedirects:    5,
		ConnectTimeout:  10 * time.Second,
		HeaderTimeout:   30 * time.Second,
		StallTimeout:    30 * time.Second,
		DownloadTimeout: 10 * time.Minute,
		MinThroughput:   16 * 1024,
	}
	if diff := gocmp.Diff(want, got, cmpopts.IgnoreFields(Config{}, "Proxy"),
		gocmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if got.Proxy == nil {
		t.Error("want the proxy of the environment")
	}
}

func TestNewWiresTheTimeoutsOfTheTransport(t *testing.T) {
	t.Parallel()
	if got := newDialer(Config{ConnectTimeout: 3 * time.Second}, nil).Timeout; got != 3*time.Second {
		t.Errorf("connect: want 3s, got %v", got)
	}
	s := sources(t, Config{ConnectTimeout: 3 * time.Second, HeaderTimeout: 4 * time.Second})
	transport, ok := s.transport.(*http.Transport)
	if !ok {
		t.Fatalf("want a *http.Transport, got %T", s.transport)
	}
	if got := transport.TLSHandshakeTimeout; got != 3*time.Second {
		t.Errorf("TLS handshake: want 3s, got %v", got)
	}
	if got := transport.ResponseHeaderTimeout; got != 4*time.Second {
		t.Errorf("header: want 4s, got %v", got)
	}
}

func TestNewRefusesBoundsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*Config){
		"negative bytes":            func(cfg *Config) { cfg.MaxBytes = -1 },
		"no bytes":                  func(cfg *Config) { cfg.MaxBytes = 0 },
		"negative ratio":            func(cfg *Config) { cfg.MaxRatio = -1 },
		"no ratio":                  func(cfg *Config) { cfg.MaxRatio = 0 },
		"negative throughput":       func(cfg *Config) { cfg.MinThroughput = -1 },
		"negative redirects":        func(cfg *Config) { cfg.MaxRedirects = -1 },
		"negative connect timeout":  func(cfg *Config) { cfg.ConnectTimeout = -1 },
		"no connect timeout":        func(cfg *Config) { cfg.ConnectTimeout = 0 },
		"negative header timeout":   func(cfg *Config) { cfg.HeaderTimeout = -1 },
		"no header timeout":         func(cfg *Config) { cfg.HeaderTimeout = 0 },
		"negative stall timeout":    func(cfg *Config) { cfg.StallTimeout = -1 },
		"no stall timeout":          func(cfg *Config) { cfg.StallTimeout = 0 },
		"negative download timeout": func(cfg *Config) { cfg.DownloadTimeout = -1 },
		"no download timeout":       func(cfg *Config) { cfg.DownloadTimeout = 0 },
		"an invalid prefix":         func(cfg *Config) { cfg.DenyCIDRs = []netip.Prefix{{}} },
		"an invalid exception":      func(cfg *Config) { cfg.AllowCIDRs = []netip.Prefix{{}} },
		"no user agent":             func(cfg *Config) { cfg.UserAgent = "" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			given := DefaultConfig()
			change(&given)
			if _, err := New(given); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestOpenInline(t *testing.T) {
	t.Parallel()
	body, err := sources(t, Config{Settings: Settings{MaxBytes: 3}}).Open(t.Context(), inline("abc"))
	wantBody(t, body, err, "abc")

	body, err = sources(t, Config{Settings: Settings{MaxBytes: 2}}).Open(t.Context(), inline("abc"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(body)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "inline", "limit of 2 bytes")
}

func TestOpenRefusesAnEmptySource(t *testing.T) {
	t.Parallel()
	_, err := sources(t, Config{}).Open(t.Context(), v1alpha1.Source{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "none of https, file and inline")
}

func TestOpenStopsAtAContextThatIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, src := range []v1alpha1.Source{https("https://example.org/a.yaml"), file("a.yaml"), inline("a")} {
		_, err := sources(t, Config{}).Open(ctx, src)
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, Describe(src))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("want %v in the chain, got %v", context.Canceled, err)
		}
	}
}

func https(url string) v1alpha1.Source {
	return v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{URL: url, Digest: someDigest}}
}

func file(path string) v1alpha1.Source {
	return v1alpha1.Source{File: &v1alpha1.FileSource{Path: path, Digest: someDigest}}
}

func inline(manifests string) v1alpha1.Source {
	return v1alpha1.Source{Inline: &v1alpha1.InlineSource{Manifests: manifests}}
}

// sources returns Sources for cfg that take no proxy from the environment.
// sources returns Sources for cfg. Fields that a test leaves out are those of
// DefaultConfig, without a proxy.
func sources(t *testing.T, cfg Config) *Sources {
	t.Helper()
	defaults := DefaultConfig()
	cfg.UserAgent = cmp.Or(cfg.UserAgent, defaults.UserAgent)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, defaults.MaxBytes)
	cfg.MaxRatio = cmp.Or(cfg.MaxRatio, defaults.MaxRatio)
	cfg.MaxRedirects = cmp.Or(cfg.MaxRedirects, defaults.MaxRedirects)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, defaults.ConnectTimeout)
	cfg.HeaderTimeout = cmp.Or(cfg.HeaderTimeout, defaults.HeaderTimeout)
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, defaults.StallTimeout)
	cfg.DownloadTimeout = cmp.Or(cfg.DownloadTimeout, defaults.DownloadTimeout)
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

func wantBody(t *testing.T, body io.ReadCloser, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	if string(got) != want {
		t.Errorf("want %d bytes %.40q, got %d bytes %.40q", len(want), want, len(got), got)
	}
}

// readAll opens src and reads it to its end, and returns the first error.
func readAll(ctx context.Context, s *Sources, src v1alpha1.Source) error {
	body, err := s.Open(ctx, src)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(io.Discard, body)
	return err
}
