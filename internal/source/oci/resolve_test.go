package oci_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func TestATagIsResolvedByItsHeader(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	d, err := client(t, oci.Config{}).Resolve(t.Context(), plainRef(r, "bundles/calico", "1.0.0"), oci.Credentials{})
	if err != nil || d != artifact().Digest() {
		t.Errorf("want %s, got %s, %v", artifact().Digest(), d, err)
	}
	if diff := cmp.Diff([]string{"HEAD /v2/bundles/calico/manifests/1.0.0"}, r.Requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestADigestIsResolvedWithoutARequest(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	ref := oci.Reference{Repository: r.Host() + "/a", Digest: someDigest().String(), Insecure: true}
	d, err := client(t, oci.Config{}).Resolve(t.Context(), ref, oci.Credentials{})
	if err != nil || d != someDigest() {
		t.Errorf("want %s, got %s, %v", someDigest(), d, err)
	}
	if len(r.Requests()) > 0 {
		t.Errorf("want no request, got %q", r.Requests())
	}
}

func TestATagIsResolvedByItsManifestWhereTheHeaderIsNotEnough(t *testing.T) {
	t.Parallel()
	head := func(r *http.Request) bool { return r.Method == http.MethodHead }
	tests := map[string]func(http.ResponseWriter, *http.Request) bool{
		"HEAD is not allowed":      serving(http.StatusMethodNotAllowed, head),
		"HEAD is not implemented":  serving(http.StatusNotImplemented, head),
		"HEAD breaks the registry": serving(http.StatusInternalServerError, head),
		"there is no digest in the header": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			w.Header().Set("Content-Length", "10")
			return head(r)
		},
		"there is no digest and no length": func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			return head(r)
		},
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Push(t, "a", artifact(), "1")
			r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
				return head(req) && given(w, req)
			})
			d, err := client(t, oci.Config{}).Resolve(t.Context(), plainRef(r, "a", "1"), oci.Credentials{})
			if err != nil || d != artifact().Digest() {
				t.Errorf("want %s, got %s, %v", artifact().Digest(), d, err)
			}
		})
	}
}

func TestADigestOfAnotherAlgorithmIsRefused(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Content-Length", "10")
		w.Header().Set("Docker-Content-Digest", digest.SHA512.FromString("a").String())
		return true
	})
	_, err := client(t, oci.Config{}).Resolve(t.Context(), plainRef(r, "a", "1"), oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "/a:1: ", "not one of sha256")
}

func TestTheNewestVersionThatSatisfiesIsTaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		givenTags   []string
		givenSemVer string
		want        string
	}{
		"by version and not by name":     {[]string{"1.9.0", "1.10.0", "1.2.0"}, "1.x", "1.10.0"},
		"below the next major":           {[]string{"1.9.0", "2.0.0"}, "^1.0.0", "1.9.0"},
		"with a v in front":              {[]string{"v1.0.0", "v1.1.0"}, ">=1.0.0", "v1.1.0"},
		"without pre-releases":           {[]string{"1.0.0", "1.1.0-rc.1"}, ">=1.0.0", "1.0.0"},
		"with pre-releases when asked":   {[]string{"1.0.0", "1.1.0-rc.1", "1.1.0-rc.2"}, ">=1.0.0-0", "1.1.0-rc.2"},
		"the release after its previews": {[]string{"1.1.0", "1.1.0-rc.2"}, ">=1.0.0-0", "1.1.0"},
		"with build metadata as Helm":    {[]string{"1.0.0", "1.0.1_up2.3"}, "~1.0", "1.0.1_up2.3"},
		"the first of equals":            {[]string{"v1.0.0", "1.0.0", "1.0.0_b"}, "1.0.0", "1.0.0"},
		"not what is no whole version": {
			[]string{"latest", "20260101", "2", "1.9", "1.0.0", "sha-1.2.3"}, ">=0", "1.0.0",
		},
		"not a version with more": {[]string{"1.0.0", "9.0.0.1", "09.0.0", "vv9.0.0"}, ">=0", "1.0.0"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Push(t, "a", artifact(), tc.givenTags...)
			ref := plainRef(r, "a", "")
			ref.SemVer = tc.givenSemVer
			c := client(t, oci.Config{})
			got, err := c.Newest(t.Context(), ref, oci.Credentials{})
			if err != nil || got != tc.want {
				t.Errorf("want %q, got %q, %v", tc.want, got, err)
			}
			d, err := c.Resolve(t.Context(), ref, oci.Credentials{})
			if err != nil || d != artifact().Digest() {
				t.Errorf("want %s, got %s, %v", artifact().Digest(), d, err)
			}
			if n := count(r.Requests(), "HEAD /v2/a/manifests/"+tc.want); n != 1 {
				t.Errorf("want the tag to be resolved once, got %q", r.Requests())
			}
		})
	}
}

func TestTagsAreReadPageByPage(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Intercept(paged(3))
	ref := plainRef(r, "a", "")
	ref.SemVer = ">=0"
	got, err := client(t, oci.Config{}).Newest(t.Context(), ref, oci.Credentials{})
	if err != nil || got != "1.0.3" {
		t.Errorf("want 1.0.3, got %q, %v", got, err)
	}
	if n := count(r.Requests(), "GET /v2/a/tags/list"); n != 3 {
		t.Errorf("want 3 pages, got %d", n)
	}
}

// paged answers with so many pages of one tag each.
func paged(pages int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		page := len(r.URL.Query().Get("last")) + 1
		if page < pages {
			w.Header().Set("Link", fmt.Sprintf(`</v2/a/tags/list?last=%s>; rel="next"`, strings.Repeat("x", page)))
		}
		_, _ = fmt.Fprintf(w, `{"tags":["1.0.%d"]}`, page)
		return true
	}
}

func TestTagsThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	text := func(s string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte(s))
			return true
		}
	}
	tests := map[string]struct {
		given      func(http.ResponseWriter, *http.Request) bool
		wantClass  fault.Class
		wantReason string
		wantText   string
	}{
		"none fits": {text(`{"tags":["0.9.0","x"]}`), fault.ClassRetry, v1alpha1.FetchFailedReason, "none of 2 tags"},
		"no tags":   {text(`{"tags":null}`), fault.ClassRetry, v1alpha1.FetchFailedReason, "none of 0 tags"},
		"more tags than the limit": {
			text(`{"tags":["1","2","3","4"]}`), fault.ClassStall, v1alpha1.LimitExceededReason, "more than 3 tags",
		},
		"more pages than the limit of tags": {paged(9), fault.ClassStall, v1alpha1.LimitExceededReason, "more than 3 tags"},
		"a page that is larger than the limit": {
			text(`{"tags":["` + strings.Repeat("x", 2000) + `"]}`),
			fault.ClassStall, v1alpha1.LimitExceededReason, "larger than the limit of 1000 bytes",
		},
		"a page without sense": {text(secret), fault.ClassRetry, v1alpha1.FetchFailedReason, "cannot be read"},
		"a next page elsewhere": {
			func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Link", `<http://192.0.2.1/hunter2>; rel="next"`)
				_, _ = w.Write([]byte(`{"tags":["1.0.0"]}`))
				return true
			},
			fault.ClassRetry, v1alpha1.FetchFailedReason, "cannot be read",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(tc.given)
			ref := plainRef(r, "a", "")
			ref.SemVer = ">=1"
			_, err := client(t, oci.Config{MaxTags: 3, MaxManifest: 1000}).Resolve(t.Context(), ref, oci.Credentials{})
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, r.Host()+"/a (>=1): ", tc.wantText)
		})
	}
}

func TestPagesWithoutTagsEnd(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Link", `</v2/a/tags/list?last=x>; rel="next"`)
		_, _ = w.Write([]byte(`{"tags":[]}`))
		return true
	})
	ref := plainRef(r, "a", "")
	ref.SemVer = ">=1"
	_, err := client(t, oci.Config{}).Resolve(t.Context(), ref, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "more than 100 pages")
}

func TestARepositoryThatIsNotOneIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	c, ref := client(t, oci.Config{}), oci.Reference{Repository: "u:hunter2@ghcr.io/a", SemVer: ">>1"}
	_, err := c.Newest(t.Context(), ref, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "host/path")
	_, err = c.Manifest(t.Context(), ref, "sha256:x", oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "host/path")
	_, _, err = c.Blob(t.Context(), ref, oci.Layer{}, 0, oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.SourceInvalidReason, "host/path")
}

func TestReferencesThatAreRefused(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given      oci.Reference
		wantReason string
		wantText   string
	}{
		"no path": {
			oci.Reference{Repository: "ghcr.io", Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path",
		},
		"nothing": {oci.Reference{Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path"},
		"a tag in the path": {
			oci.Reference{Repository: "ghcr.io/a:1", Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path",
		},
		"upper case": {
			oci.Reference{Repository: "ghcr.io/A", Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path",
		},
		"a path out of it": {
			oci.Reference{Repository: "ghcr.io/../a", Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path",
		},
		"a user": {
			oci.Reference{Repository: "u:hunter2@ghcr.io/a", Tag: "1"}, v1alpha1.SourceInvalidReason, "host/path",
		},
		"neither tag nor any": {
			oci.Reference{Repository: "ghcr.io/a"}, v1alpha1.SourceInvalidReason, "none of tag, digest",
		},
		"a bad tag": {
			oci.Reference{Repository: "ghcr.io/a", Tag: "a/b"}, v1alpha1.SourceInvalidReason, "the tag",
		},
		"a short digest": {
			oci.Reference{Repository: "ghcr.io/a", Digest: "sha256:ab"}, v1alpha1.SourceInvalidReason, "the digest",
		},
		"another digest": {
			oci.Reference{Repository: "ghcr.io/a", Digest: digest.SHA512.FromString("a").String()},
			v1alpha1.SourceInvalidReason, "the digest",
		},
		"a bad constraint": {
			oci.Reference{Repository: "ghcr.io/a", SemVer: ">>1"}, v1alpha1.ConstraintInvalidReason, "ghcr.io/a (>>1): ",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := client(t, oci.Config{}).Resolve(t.Context(), tc.given, oci.Credentials{})
			faulttest.Want(t, err, fault.ClassStall, tc.wantReason, tc.wantText)
		})
	}
}
