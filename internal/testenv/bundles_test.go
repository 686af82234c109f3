package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"iter"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

const published = "kind: Published\n"

func digitsOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// redirected sends every request to the server of the test, whatever its host.
type redirected struct{ to *httptest.Server }

func (r redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	target := req.Clone(req.Context())
	target.URL.Scheme, target.URL.Host = "http", r.to.Listener.Addr().String()
	return http.DefaultTransport.RoundTrip(target)
}

// newCatalogue returns a catalogue with empty folders, whose URLs are served by
// answer, and the number of requests.
func newCatalogue(t *testing.T, answer http.HandlerFunc) (catalogue, *atomic.Int32) {
	t.Helper()
	requests := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return catalogue{
		bundles: t.TempDir(),
		kept:    filepath.Join(t.TempDir(), "bin", "bundles"),
		client:  &http.Client{Transport: redirected{server}},
	}, requests
}

func answering(status int, content string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(content))
	}
}

func putFile(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCatalogueFile(t *testing.T) {
	t.Parallel()
	const calico = calicoURL + "v1.2.3/manifests/operator.yaml"
	digits := digitsOf(published)
	tests := map[string]struct {
		givenURL    string
		givenDigest string
		givenCopy   string // in the folder bundles
		givenKept   string // from an earlier download
		givenServed http.HandlerFunc

		wantPlace    string // bundles or kept
		wantRequests int32
	}{
		"the copy in the folder is taken": {
			givenURL: calico, givenCopy: published,
			wantPlace: "bundles",
		},
		"the digest may have its algorithm before it": {
			givenURL: calico, givenDigest: "sha256:" + digits, givenCopy: published,
			wantPlace: "bundles",
		},
		"a copy with other bytes is passed by": {
			givenURL: calico, givenCopy: "kind: Other\n", givenKept: published,
			wantPlace: "kept",
		},
		"what was downloaded before is not downloaded again": {
			givenURL: calico, givenKept: published,
			wantPlace: "kept",
		},
		"a kept file with other bytes is downloaded again": {
			givenURL: calico, givenKept: "torn", givenServed: answering(http.StatusOK, published),
			wantPlace: "kept", wantRequests: 1,
		},
		"what the folder has not is downloaded": {
			givenURL: calico, givenServed: answering(http.StatusOK, published),
			wantPlace: "kept", wantRequests: 1,
		},
		"a file of another project is downloaded": {
			givenURL: "https://example.com/manifests/x.yaml", givenCopy: published,
			givenServed: answering(http.StatusOK, published),
			wantPlace:   "kept", wantRequests: 1,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.givenServed == nil {
				tc.givenServed = answering(http.StatusInternalServerError, "")
			}
			if tc.givenDigest == "" {
				tc.givenDigest = digits
			}
			c, requests := newCatalogue(t, tc.givenServed)
			places := map[string]string{
				"bundles": filepath.Join(c.bundles, "calico", "v1.2.3", "operator.yaml"),
				"kept":    filepath.Join(c.kept, digits),
			}
			if tc.givenCopy != "" {
				putFile(t, places["bundles"], tc.givenCopy)
			}
			if tc.givenKept != "" {
				putFile(t, places["kept"], tc.givenKept)
			}

			got, err := c.file(t.Context(), tc.givenURL, tc.givenDigest)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(places[tc.wantPlace], got); diff != "" {
				t.Errorf("path (-want +got):\n%s", diff)
			}
			if content, err := os.ReadFile(got); err != nil || string(content) != published {
				t.Errorf("content: %q, %v", content, err)
			}
			if requests.Load() != tc.wantRequests {
				t.Errorf("want %d requests, got %d", tc.wantRequests, requests.Load())
			}
		})
	}
}

func TestCatalogueFileThatIsNowhere(t *testing.T) {
	t.Parallel()
	const calico = calicoURL + "v1.2.3/manifests/operator.yaml"
	tests := map[string]struct {
		givenURL    string
		givenDigest string
		givenServed http.HandlerFunc

		want []string
	}{
		"the server does not have it": {
			givenURL: calico, givenDigest: digitsOf(published), givenServed: answering(http.StatusNotFound, ""),
			want: []string{calico, bundlesVariable, "404 Not Found", "calico/v1.2.3/operator.yaml"},
		},
		"the server has other bytes": {
			givenURL: calico, givenDigest: digitsOf(published), givenServed: answering(http.StatusOK, "kind: Other\n"),
			want: []string{digitsOf(published), digitsOf("kind: Other\n")},
		},
		"the connection is closed in the middle": {
			givenURL: calico, givenDigest: digitsOf(published),
			givenServed: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(published))
			},
			want: []string{"unexpected EOF"},
		},
		"the digest is too short": {
			givenURL: calico, givenDigest: "abcd", givenServed: answering(http.StatusOK, published),
			want: []string{`"abcd" is not a SHA-256`},
		},
		"the digest is not hexadecimal": {
			givenURL: calico, givenDigest: strings.Repeat("z", 64), givenServed: answering(http.StatusOK, published),
			want: []string{"is not a SHA-256"},
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, _ := newCatalogue(t, tc.givenServed)
			got, err := c.file(t.Context(), tc.givenURL, tc.givenDigest)
			if err == nil {
				t.Fatalf("want an error, got %s", got)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
			left, err := os.ReadDir(c.kept)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestCopyOf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"a manifest of Calico":           {calicoURL + "v3.32.1/manifests/crds.yaml", "/b/calico/v3.32.1/crds.yaml"},
		"a CRD of the Logging Operator":  {loggingURL + "1.2.3/charts/logging-operator/crds/x", "/b/logging-operator/1.2.3/crds/x"},
		"its other files":                {loggingURL + "6.7.0/charts/logging-operator/values.yaml", ""},
		"another project":                {"https://example.com/v3.32.1/manifests/crds.yaml", ""},
		"a file that is not a manifest":  {calicoURL + "v3.32.1/README.md", ""},
		"a tag that leads elsewhere":     {calicoURL + "../manifests/crds.yaml", ""},
		"a name that leads elsewhere":    {calicoURL + "v1/manifests/../../x", ""},
		"a name that is missing":         {calicoURL + "v1/manifests/", ""},
		"a tag with a folder in between": {calicoURL + "a/b/manifests/x", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, catalogue{bundles: "/b"}.copyOf(tc.given)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCatalogueOfTheRepository(t *testing.T) {
	t.Parallel()
	for _, name := range catalogueNames(t) {
		bundle, err := Catalogue(name)
		if err != nil {
			t.Fatal(err)
		}
		if bundle.Name != name || len(bundle.Spec.Releases) == 0 {
			t.Errorf("%s: got %s with %d releases", name, bundle.Name, len(bundle.Spec.Releases))
		}
	}
	if _, err := Catalogue("no-such-bundle"); err == nil || !strings.Contains(err.Error(), "no-such-bundle.yaml") {
		t.Errorf("want an error that names no-such-bundle.yaml, got %v", err)
	}
}

func catalogueNames(t *testing.T) []string {
	t.Helper()
	names, err := CatalogueNames()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "calico") {
		t.Errorf("want sorted names with calico, got %v", names)
	}
	return names
}

func TestCatalogueCopyThatIsNotTheOne(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(bundlesVariable, folder)
	putFile(t, filepath.Join(folder, "x", "1.0.0", "all.yaml"), published)

	got, err := CatalogueCopy("x/1.0.0/all.yaml", digitsOf(published))
	if err != nil || got != filepath.Join(folder, "x", "1.0.0", "all.yaml") {
		t.Errorf("got %s, %v", got, err)
	}
	tests := map[string]struct{ place, digits, want string }{
		"it is not there":     {"x/2.0.0/all.yaml", digitsOf(published), "no such file"},
		"it has other bytes":  {"x/1.0.0/all.yaml", digitsOf("other"), digitsOf(published)},
		"the digest is wrong": {"x/1.0.0/all.yaml", "abcd", "not abcd"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := CatalogueCopy(tc.place, tc.digits)
			if err == nil {
				t.Fatal("want an error")
			}
			for _, want := range []string{tc.place, bundlesVariable, tc.want} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %q", err, want)
				}
			}
		})
	}
}

// row is a line of the table of copies: the file, its repository and path there,
// the tag, the size, and the SHA-256.
var row = regexp.MustCompile("(?m)^\\| \\S+ \\| (\\S+) `(\\S+)` \\| `?([^ `|]+)`? \\| \\d+ \\| `([0-9a-f]{64})` \\|$")

func TestTheCatalogueAgreesWithTheTableOfCopies(t *testing.T) {
	t.Parallel()
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile(filepath.Join(bundlesFolder(root), "README.md"))
	if err != nil {
		t.Skip("the table of copies is not to be had: ", err)
	}
	want := make(map[string]string)
	for _, cells := range row.FindAllStringSubmatch(string(table), -1) {
		want["https://raw.githubusercontent.com/"+cells[1]+"/"+cells[3]+"/"+cells[2]] = "sha256:" + cells[4]
	}
	for _, name := range catalogueNames(t) {
		bundle, err := Catalogue(name)
		if err != nil {
			t.Fatal(err)
		}
		for url, got := range digestsOf(bundle) {
			if diff := cmp.Diff(want[url], got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, url, diff)
			}
		}
	}
}

// digestsOf yields the URLs of a Bundle with their digests.
func digestsOf(bundle *v1alpha1.Bundle) iter.Seq2[string, string] {
	return func(yield func(url, digest string) bool) {
		for _, release := range bundle.Spec.Releases {
			for _, phase := range release.Phases {
				for _, source := range phase.Sources {
					if source.HTTPS != nil && !yield(source.HTTPS.URL, string(source.HTTPS.Digest)) {
						return
					}
				}
			}
		}
	}
}
