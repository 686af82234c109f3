package oci_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault/faulttest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

func mirrors(list ...oci.Mirror) oci.Settings { return oci.Settings{Mirrors: list} }

func TestMirrorsAreTriedInOrderBeforeTheRegistry(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		// given is what the first mirror, the second and the registry answer: 0 for the artifact.
		given [3]int
		want  int
	}{
		"the first has it":                         {[3]int{0, 0, 0}, 0},
		"the second, if the first fails":           {[3]int{500, 0, 0}, 1},
		"the second, if the first has no":          {[3]int{404, 0, 0}, 1},
		"the second, if the first is throttled":    {[3]int{429, 0, 0}, 1},
		"the second, if the first wants to know":   {[3]int{401, 0, 0}, 1},
		"the registry, if none of its mirrors has": {[3]int{404, 503, 0}, 2},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all [3]*ocitest.Registry
			for i, repository := range []string{"first/calico", "second/deep/calico", "bundles/calico"} {
				all[i] = ocitest.New(t, ocitest.Options{TLS: true})
				if status := tc.given[i]; status != 0 {
					all[i].Intercept(serving(status, everything))
				}
				all[i].Push(t, repository, artifact(), "1.0.0")
			}
			c := client(t, oci.Config{Settings: mirrors(
				oci.Mirror{Prefix: all[2].Host(), Endpoints: []string{"http://192.0.2.1"}},
				oci.Mirror{Prefix: all[2].Host() + "/bundles", CA: string(all[2].CA()), Endpoints: []string{
					all[0].Server.URL + "/first/", all[1].Server.URL + "/second/deep",
				}},
			)})
			got, err := pull(t, c, tlsRef(all[2]), credentials(t, all[2], nil))
			wantPulled(t, got, err)
			for i, r := range all {
				if served := count(r.Requests(), "GET"); i == tc.want && served < 2 || i > tc.want && len(r.Requests()) > 0 {
					t.Errorf("want %d to serve, got of %d %q", tc.want, i, r.Requests())
				}
			}
		})
	}
}

func TestAMirrorWithoutTLSIsAskedOnlyForWhatHasADigest(t *testing.T) {
	t.Parallel()
	r, mirror := ocitest.New(t, ocitest.Options{TLS: true}), ocitest.New(t, ocitest.Options{})
	other := ocitest.NewArtifact(ocitest.File{MediaType: yamlType, Content: []byte("kind: Evil")})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	mirror.Push(t, "bundles/calico", artifact())
	mirror.Push(t, "bundles/calico", other, "1.0.0", "1.1.0")
	c := client(t, oci.Config{Settings: mirrors(oci.Mirror{Prefix: r.Host(), Endpoints: []string{mirror.Server.URL}})})
	got, err := pull(t, c, tlsRef(r), credentials(t, r, nil))
	wantPulled(t, got, err)
	newest := oci.Reference{Repository: r.Host() + "/bundles/calico", SemVer: "^1"}
	if tag, err := c.Newest(t.Context(), newest, credentials(t, r, nil)); tag != "1.0.0" {
		t.Errorf("want the tag of the registry, got %q, %v", tag, err)
	}
	if asked := mirror.Requests(); count(asked, "HEAD") > 0 || count(asked, "GET /v2/bundles/calico/tags") > 0 || len(asked) != 2 {
		t.Errorf("want the manifest and the layer of the mirror, got %q", asked)
	}
}

func TestWithoutTLSNoCredentialsAreSent(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{Username: "jane", Password: "hunter2"})
	r.Push(t, "a", artifact(), "1")
	var seen strings.Builder
	r.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		seen.WriteString(req.Header.Get("Authorization"))
		return false
	})
	creds := oci.Credentials{Logins: []oci.Login{{Prefix: r.Host(), Username: "jane", Password: "hunter2"}}}
	_, err := pull(t, client(t, oci.Config{}), plainRef(r, "a", "1"), creds)
	faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "requires credentials (401 Unauthorized), and none are sent without TLS")
	if seen.Len() > 0 {
		t.Errorf("want no login without TLS, got %q", seen.String())
	}
}

func TestMirrorsAreMatchedByWholeElements(t *testing.T) {
	t.Parallel()
	r, mirror := ocitest.New(t, ocitest.Options{}), ocitest.New(t, ocitest.Options{})
	r.Push(t, "bundles-of-others/calico", artifact(), "1.0.0")
	c := client(t, oci.Config{Settings: mirrors(
		oci.Mirror{Prefix: r.Host() + "/bundles", Endpoints: []string{mirror.Server.URL}},
	)})
	got, err := pull(t, c, plainRef(r, "bundles-of-others/calico", "1.0.0"), oci.Credentials{})
	wantPulled(t, got, err)
	if len(mirror.Requests()) > 0 {
		t.Errorf("want no request, got %q", mirror.Requests())
	}
}

func TestAMirrorGetsNoCredentialsOfTheRegistry(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "hunter2"})
	r.Push(t, "bundles/calico", artifact(), "1.0.0")
	mirror := ocitest.New(t, ocitest.Options{TLS: true, Username: "jane", Password: "hunter2"})
	mirror.Push(t, "bundles/calico", artifact(), "1.0.0")
	var seen []string
	mirror.Intercept(func(_ http.ResponseWriter, req *http.Request) bool {
		seen = append(seen, req.Header.Get("Authorization"))
		return false
	})
	m := oci.Mirror{Prefix: r.Host(), Endpoints: []string{mirror.Host()}, CA: string(mirror.CA())}
	creds := credentials(t, r, map[string]string{"username": "jane", "password": "hunter2"})
	got, err := pull(t, client(t, oci.Config{Settings: mirrors(m)}), tlsRef(r), creds)
	wantPulled(t, got, err)
	if len(seen) == 0 || strings.Join(seen, "") != "" {
		t.Errorf("want requests without a login, got %q", seen)
	}
	served := len(r.Requests())

	creds.Logins = append(creds.Logins, oci.Login{Prefix: mirror.Host(), Username: "jane", Password: "hunter2"})
	got, err = pull(t, client(t, oci.Config{Settings: mirrors(m)}), tlsRef(r), creds)
	wantPulled(t, got, err)
	if len(r.Requests()) != served {
		t.Errorf("want the mirror to serve whom it knows, got %q", r.Requests()[served:])
	}
}

func TestTheErrorIsThatOfTheRegistryAndTellsOfItsMirrors(t *testing.T) {
	t.Parallel()
	r, mirror := ocitest.New(t, ocitest.Options{}), ocitest.New(t, ocitest.Options{TLS: true})
	r.Intercept(serving(http.StatusTooManyRequests, everything))
	mirror.Intercept(serving(http.StatusNotFound, everything))
	c := client(t, oci.Config{Settings: mirrors(
		oci.Mirror{Prefix: r.Host(), Endpoints: []string{mirror.Server.URL}, CA: string(mirror.CA())},
	)})
	_, err := pull(t, c, plainRef(r, "a", "1"), oci.Credentials{})
	faulttest.Want(t, err, fault.ClassWait, v1alpha1.ThrottledReason, fmt.Sprintf(
		"%s/a:1: the server answered 429 Too Many Requests (mirror %s/a: not found (404 Not Found))",
		r.Host(), mirror.Server.URL))
}

func TestABlobThatAMirrorBreaksComesFromElsewhere(t *testing.T) {
	t.Parallel()
	send := func(length int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if length > 0 {
				w.Header().Set("Content-Length", fmt.Sprint(length))
			}
			_, _ = io.WriteString(w, body[:3])
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, body[3:])
			return true
		}
	}
	tests := map[string]struct {
		given      func(http.ResponseWriter, *http.Request) bool
		wantText   string
		wantOffset int64
	}{
		"by cutting it off":         {send(51, content[:40]), "cut off after 40 bytes", 40},
		"by sending another":        {send(51, strings.Repeat("x", 51)), "the bytes are not those of the digest", 0},
		"by sending more than that": {send(0, content+"x"), "sends 52 bytes or more where the manifest says 51", 0},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, mirror := ocitest.New(t, ocitest.Options{}), ocitest.New(t, ocitest.Options{})
			r.Push(t, "a", artifact(), "1")
			mirror.Intercept(tc.given)
			now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
			c := client(t, oci.Config{Settings: mirrors(
				oci.Mirror{Prefix: r.Host(), Endpoints: []string{mirror.Server.URL}},
			)})
			c.SetNow(func() time.Time { return now })
			ref, l := plainRef(r, "a", "1"), layerOf(t, artifact())
			broken := func() {
				t.Helper()
				_, _, err := readBlob(t, c, ref, l, 0, oci.Credentials{})
				faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "mirror "+mirror.Server.URL+"/a: ", tc.wantText)
			}
			broken()
			got, from, err := readBlob(t, c, ref, l, tc.wantOffset, oci.Credentials{})
			if err != nil || from != tc.wantOffset || got != content[from:] {
				t.Errorf("want the registry's bytes from %d, got %q from %d, %v", tc.wantOffset, got, from, err)
			}
			now = now.Add(time.Hour)
			broken()
		})
	}
}

func TestAMirrorIsNotBelievedAManifest(t *testing.T) {
	t.Parallel()
	r, mirror := ocitest.New(t, ocitest.Options{}), ocitest.New(t, ocitest.Options{})
	r.Push(t, "a", artifact(), "1")
	mirror.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, "{}")
		return true
	})
	c := client(t, oci.Config{Settings: mirrors(oci.Mirror{Prefix: r.Host(), Endpoints: []string{mirror.Server.URL}})})
	got, err := c.Manifest(t.Context(), plainRef(r, "a", "1"), artifact().Digest(), oci.Credentials{})
	if err != nil || string(got) != string(artifact().Manifest) {
		t.Errorf("want the registry's manifest, got %s, %v", got, err)
	}
}

func TestMirrorsThatWereNotReadFromAFileAreChecked(t *testing.T) {
	t.Parallel()
	tests := map[string]oci.Mirror{
		"an endpoint that is none": {Prefix: "registry.invalid", Endpoints: []string{"https://u:hunter2@b"}},
		"no authorities":           {Prefix: "registry.invalid", Endpoints: []string{"b"}, CA: secret},
	}
	for name, given := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := client(t, oci.Config{Settings: mirrors(given)})
			_, err := c.Resolve(t.Context(), oci.Reference{Repository: "registry.invalid/a", Tag: "1"}, oci.Credentials{})
			faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "registry.invalid/a:1: ")
		})
	}
}

func TestTheMessageAboutAMirrorNamesItsFile(t *testing.T) {
	t.Parallel()
	secure, plain := ocitest.New(t, ocitest.Options{TLS: true}), ocitest.New(t, ocitest.Options{})
	for endpoint, want := range map[string]string{
		"https://" + secure.Host(): "unknown authority: name its authority as ca of the mirror in registries.mirrors",
		"http://" + secure.Host():  "it may speak TLS: begin the endpoint in registries.mirrors of the manager's configuration with https://",
		"https://" + plain.Host():  "the server speaks no TLS: begin the endpoint in registries.mirrors of the manager's configuration with http://",
	} {
		c := client(t, oci.Config{Settings: mirrors(oci.Mirror{Prefix: "registry.invalid", Endpoints: []string{endpoint}})})
		_, err := c.Manifest(t.Context(), oci.Reference{Repository: "registry.invalid/a"}, someDigest(), oci.Credentials{})
		faulttest.Want(t, err, fault.ClassRetry, v1alpha1.FetchFailedReason, "mirror "+endpoint, want)
	}
}

func TestMirrorsCanChange(t *testing.T) {
	t.Parallel()
	first, second := ocitest.New(t, ocitest.Options{}), ocitest.New(t, ocitest.Options{})
	for _, r := range []*ocitest.Registry{first, second} {
		r.Push(t, "a", artifact(), "1")
	}
	c := client(t, oci.Config{})
	for _, r := range []*ocitest.Registry{first, second} {
		c.Configure(mirrors(oci.Mirror{Prefix: "registry.invalid", Endpoints: []string{r.Server.URL}}))
		got, err := pull(t, c, oci.Reference{Repository: "registry.invalid/a", Digest: artifact().Digest().String()}, oci.Credentials{})
		wantPulled(t, got, err)
		if len(r.Requests()) == 0 {
			t.Error("want the mirror of now to be asked")
		}
	}
}

func TestMirrorsThatAreRefused(t *testing.T) {
	t.Parallel()
	one := func(prefix, endpoint string) string {
		return fmt.Sprintf("mirrors: [{prefix: %q, endpoints: [%q]}]", prefix, endpoint)
	}
	tests := map[string]struct{ given, want string }{
		"too many":                {"mirrors: [" + strings.Repeat("{},", 257) + "]", "257 mirrors are more than 256"},
		"no prefix":               {one("", "a"), "mirrors[0]: the prefix"},
		"a prefix with a scheme":  {one("https://ghcr.io", "a"), "mirrors[0]: the prefix"},
		"a prefix that ends in /": {one("ghcr.io/", "a"), "mirrors[0]: the prefix"},
		"a prefix with a tag":     {one("ghcr.io/a:1", "a"), "mirrors[0]: the prefix"},
		"no endpoints":            {"mirrors: [{prefix: a}]", "0 endpoints are not 1 to 16"},
		"too many endpoints": {
			"mirrors: [{prefix: a, endpoints: [" + strings.Repeat("b,", 17) + "]}]", "17 endpoints",
		},
		"an endpoint with a user":  {one("a", "https://u:hunter2@b"), "endpoints[0]: not a host"},
		"an endpoint with a query": {one("a", "https://b?hunter2"), "endpoints[0]: not a host"},
		"an endpoint of a file":    {one("a", "file:///hunter2"), "endpoints[0]: not a host"},
		"an endpoint without host": {one("a", "https:///x"), "endpoints[0]: not a host"},
		"an endpoint in capitals":  {one("a", "https://b/X"), "endpoints[0]: not a host"},
		"an endpoint that is none": {one("a", "https://%zz"), "endpoints[0]: not a host"},
		"no authorities":           {"mirrors: [{prefix: a, endpoints: [b], ca: hunter2}]", "ca holds no certificate"},
		"a prefix twice": {
			"mirrors: [{prefix: a, endpoints: [b]}, {prefix: a, endpoints: [c]}]", "mirrors[1]: the prefix a is duplicated",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var given struct{ Mirrors []oci.Mirror }
			if err := yaml.Unmarshal([]byte(tc.given), &given); err != nil {
				t.Fatal(err)
			}
			err := oci.ValidateMirrors(given.Mirrors)
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), secret) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}
