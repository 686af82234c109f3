package oci_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func TestTheOnlyManifestOfAnIndexIsTaken(t *testing.T) {
	t.Parallel()
	a := artifact()
	index := ocitest.NewIndex(a.Digest())
	attested := index
	attested.Manifest = []byte(fmt.Sprintf(`{"schemaVersion":2,"manifests":[
		{"digest":%q},{"digest":%q,"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`,
		a.Digest(), someDigest()))
	for name, given := range map[string]ocitest.Artifact{
		"an index of one": index, "an index of one and what attests it": attested, "a manifest": a,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, ok, err := oci.OnlyManifest(given.Manifest)
			if isIndex := string(given.Manifest) != string(a.Manifest); ok != isIndex || err != nil {
				t.Errorf("want an index: %t, got %t, %v", isIndex, ok, err)
			}
			if ok && got != a.Digest() {
				t.Errorf("want %s, got %s", a.Digest(), got)
			}
		})
	}
}

func TestTheMessageAboutAnIndexNamesItsCandidates(t *testing.T) {
	t.Parallel()
	index := fmt.Sprintf(`{"manifests":[
		{"digest":%[1]q,"mediaType":"application/vnd.oci.image.manifest.v1+json","platform":{"os":"linux","architecture":"arm64"}},
		{"digest":%[2]q,"artifactType":"application/vnd.acme\nrocket"},
		{"digest":%[2]q,"annotations":{"vnd.docker.reference.type":"attestation-manifest"}}]}`,
		someDigest(), digest.FromString("b"))
	_, err := oci.Layers([]byte(index), nil, anything)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason,
		"an index of 2 manifests", someDigest().String()+" (linux/arm64), ",
		digest.FromString("b").String()+" (application/vnd.acme rocket)")
	many := make([]digest.Digest, 1000)
	for i := range many {
		many[i] = digest.FromString(fmt.Sprint(i))
	}
	_, err = oci.Layers(ocitest.NewIndex(many...).Manifest, nil, anything)
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "and 995 more")
	if len(err.Error()) > 1024 {
		t.Errorf("want a message of at most 1 KiB, got %d bytes", len(err.Error()))
	}
}

func TestManifestsThatAreNotUsed(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 2001)
	tests := map[string]struct {
		given      string
		givenFor   digest.Digest
		wantReason string
		wantText   string
	}{
		"other bytes": {
			"{}", someDigest(), v1alpha1.DigestMismatchReason, "another manifest under the digest " + someDigest().String(),
		},
		"too many bytes": {
			large, digest.FromString(large), v1alpha1.LimitExceededReason, "manifest: larger than the limit of 2000 bytes",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				_, _ = io.WriteString(w, tc.given)
				return true
			})
			_, err := client(t, oci.Config{MaxManifest: 2000}).Manifest(
				t.Context(), plainRef(r, "a", "1"), tc.givenFor, oci.Credentials{})
			faulttest.Want(t, err, fault.ClassStall, tc.wantReason, r.Host()+"/a@"+tc.givenFor.String(), tc.wantText)
		})
	}
}

// TestDescriptorsAreCountedBeforeTheyAreRead gives a manifest whose descriptors take 40
// times as much memory as its text.
func TestDescriptorsAreCountedBeforeTheyAreRead(t *testing.T) {
	t.Parallel()
	empty := strings.Repeat("{},", 60_000) + "{}"
	for _, given := range []string{`{"layers":[` + empty + `]}`, `{"manifests":[` + empty + `]}`} {
		_, err := oci.Layers([]byte(given), nil, anything)
		faulttest.Want(t, err, fault.ClassStall, v1alpha1.LimitExceededReason, "the manifest has more than 50000 keys and values")
	}
}

func TestIndicesWithoutTheOnlyManifest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ given, want string }{
		"not JSON":       {"x", "not JSON"},
		"of two":         {string(ocitest.NewIndex(someDigest(), someDigest()).Manifest), "an index of 2 manifests"},
		"an empty index": {`{"manifests":[]}`, "an index of 0 manifests"},
		"of another algorithm": {
			`{"manifests":[{"digest":"` + digest.SHA512.FromString("a").String() + `"}]}`, "not one of sha256",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := oci.OnlyManifest([]byte(tc.given))
			faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, tc.want)
		})
	}
}

func TestAManifestOfAnotherAlgorithmIsNotAskedFor(t *testing.T) {
	t.Parallel()
	_, err := client(t, oci.Config{}).Manifest(t.Context(),
		oci.Reference{Repository: "registry.invalid/a"}, digest.SHA512.FromString("a"), oci.Credentials{})
	faulttest.Want(t, err, fault.ClassStall, v1alpha1.ArtifactInvalidReason, "registry.invalid/a: ", "not one of sha256")
}

func TestStatusesOfARegistry(t *testing.T) {
	t.Parallel()
	tests := map[int]struct {
		wantClass  fault.Class
		wantReason string
		wantText   string
	}{
		204: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 204 No Content"},
		301: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 301 Moved Permanently"},
		400: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 400 Bad Request"},
		401: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the registry requires credentials (401 Unauthorized)"},
		403: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the registry requires credentials (403 Forbidden)"},
		404: {fault.ClassRetry, v1alpha1.FetchFailedReason, "not found (404 Not Found)"},
		429: {fault.ClassWait, v1alpha1.ThrottledReason, "the server answered 429 Too Many Requests"},
		500: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 500 Internal Server Error"},
		502: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 502 Bad Gateway"},
		503: {fault.ClassWait, v1alpha1.ThrottledReason, "the server answered 503 Service Unavailable"},
		599: {fault.ClassRetry, v1alpha1.FetchFailedReason, "the server answered 599 (unknown)"},
	}
	for status, tc := range tests {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(status)
				_, _ = io.WriteString(w, `{"errors":[{"code":"X","message":"hunter2\n"}]}`)
				return true
			})
			c, ref := client(t, oci.Config{}), plainRef(r, "a", "1.0.0")
			_, err := c.Resolve(t.Context(), ref, oci.Credentials{})
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, r.Host()+"/a:1.0.0: ", tc.wantText)
			_, err = c.Manifest(t.Context(), ref, someDigest(), oci.Credentials{})
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, r.Host()+"/a@"+someDigest().String()+": manifest: ", tc.wantText)
			ref.Tag, ref.SemVer = "", ">=1"
			_, err = c.Resolve(t.Context(), ref, oci.Credentials{})
			faulttest.Want(t, err, tc.wantClass, tc.wantReason, r.Host()+"/a (>=1): list tags: ", tc.wantText)
		})
	}
}

func TestAServerIsLeftAloneAsLongAsItAsks(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		given string
		want  time.Duration
	}{
		"seconds":                  {"120", 2 * time.Minute},
		"a date":                   {"Sun, 01 Mar 2026 12:01:00 GMT", time.Minute},
		"a date that is past":      {"Sun, 01 Mar 2026 11:00:00 GMT", time.Second},
		"a date that is far away":  {"Mon, 01 Mar 2027 11:00:00 GMT", 10 * time.Minute},
		"no seconds":               {"0", time.Second},
		"fewer than no seconds":    {"-9223372036854775808", time.Second},
		"more seconds than we do":  {"9223372036854775807", 10 * time.Minute},
		"no header":                {"", 30 * time.Second},
		"a header without meaning": {"later", 30 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", tc.given)
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			})
			c := client(t, oci.Config{})
			c.SetNow(func() time.Time { return now })
			_, err := c.Resolve(t.Context(), plainRef(r, "a", "1"), oci.Credentials{})
			if got := fault.AfterOf(err); got != tc.want {
				t.Errorf("want %v, got %v: %v", tc.want, got, err)
			}
		})
	}
}

func TestErrorsOfTheNetworkAreStable(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given error
		want  string
	}{
		"a name that is not known": {
			&net.DNSError{Err: "10.0.0.10:53", IsNotFound: true}, "the host's name is not known",
		},
		"a silent name server": {
			&net.DNSError{Err: "10.0.0.10:53", IsTimeout: true}, "the name server did not answer in time",
		},
		"a broken name server": {&net.DNSError{Err: "10.0.0.10:53"}, "the host's name could not be looked up"},
		"a connection that takes too long": {
			&net.OpError{Op: "dial", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 4}, Err: errors.New("i/o timeout")},
			"dial: i/o timeout",
		},
		"a text that goes on": {errors.New(strings.Repeat("x", 1000)), strings.Repeat("x", 253) + "…"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, oci.Config{Dial: failing(tc.given)})
			_, err := c.Resolve(t.Context(), oci.Reference{Repository: "registry.invalid/a", Tag: "1"}, oci.Credentials{})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason)
			if want := "registry.invalid/a:1: " + tc.want; err.Error() != want {
				t.Errorf("want %q, got %q", want, err)
			}
		})
	}
}
