package oci_test

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/signature/signaturetest"
)

// answering has a registry answer for paths that hold a text with a status.
func answering(r *ocitest.Registry, part string, status int) {
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		if !strings.Contains(req.URL.Path, part) {
			return false
		}
		w.WriteHeader(status)
		return true
	})
}

// repository is the repository app of a registry.
type repository struct {
	*testing.T
	*ocitest.Registry
}

// push publishes an artifact.
func (r repository) push(a ocitest.Artifact, tags ...string) {
	r.Helper()
	r.Push(r.T, "app", a, tags...)
}

func TestReferrers(t *testing.T) {
	t.Parallel()
	subject := artifact().Digest()
	signed := signaturetest.NewKey(t).Bundle(t, subject)
	list := signaturetest.List(t, signed)
	tests := map[string]struct {
		given      func(repository)
		api        bool
		want       []digest.Digest
		wantReason string
	}{
		"by the API": {
			given: func(r repository) { r.push(signed) },
			api:   true, want: []digest.Digest{signed.Digest()},
		},
		"by the tag where the API is not known": {
			given: func(r repository) {
				r.push(signed)
				r.push(list, signaturetest.ListTag(subject))
			},
			want: []digest.Digest{signed.Digest()},
		},
		"by the tag where the API is refused as unknown": {
			given: func(r repository) {
				r.push(signed)
				r.push(list, signaturetest.ListTag(subject))
				answering(r.Registry, "/referrers/", http.StatusMethodNotAllowed)
			},
			api: true, want: []digest.Digest{signed.Digest()},
		},
		"by the tag where the answer is no index": {
			given: func(r repository) {
				r.push(signed)
				r.push(list, signaturetest.ListTag(subject))
				answering(r.Registry, "/referrers/", http.StatusOK)
			},
			api: true, want: []digest.Digest{signed.Digest()},
		},
		"none by the API": {given: func(repository) {}, api: true},
		"none by the tag": {given: func(repository) {}},
		"of another type only": {
			given: func(r repository) {
				r.push(signed)
				r.push(ocitest.NewIndex(signed.Digest()), signaturetest.ListTag(subject))
			},
		},
		"an index that is not JSON": {
			given: func(r repository) {
				r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
					w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
					_, _ = w.Write([]byte("<html>"))
					return true
				})
			},
			wantReason: v1alpha1.ArtifactInvalidReason,
		},
		"a registry that is broken": {
			given:      func(r repository) { answering(r.Registry, "/referrers/", http.StatusBadGateway) },
			wantReason: v1alpha1.FetchFailedReason,
		},
		"a registry that requires credentials": {
			given:      func(r repository) { answering(r.Registry, "/referrers/", http.StatusUnauthorized) },
			wantReason: v1alpha1.FetchFailedReason,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{Referrers: test.api})
			test.given(repository{t, r})
			found, err := client(t, oci.Config{}).Referrers(
				t.Context(), plainRef(r, "app", ""), subject, signature.BundleType, oci.Credentials{})
			if got := fault.ReasonOf(err, ""); got != test.wantReason {
				t.Fatalf("want the reason %q, got %v", test.wantReason, err)
			}
			if err != nil && !strings.Contains(err.Error(), r.Host()+"/app@"+subject.String()) {
				t.Errorf("want the artifact named in %q", err)
			}
			if len(found) != len(test.want) || len(found) == 1 && found[0].Digest != test.want[0] {
				t.Errorf("want %v, got %v", test.want, found)
			}
		})
	}
}

func TestReferrersOnManyPages(t *testing.T) {
	t.Parallel()
	subject := artifact().Digest()
	r := ocitest.New(t, ocitest.Options{Referrers: true, ReferrersPage: 10})
	for _, attestation := range signaturetest.NewKey(t).Attestations(t, subject, 95, nil) {
		r.Push(t, "app", attestation)
	}
	found, err := client(t, oci.Config{}).Referrers(
		t.Context(), plainRef(r, "app", ""), subject, signature.BundleType, oci.Credentials{})
	if err != nil || len(found) != 95 {
		t.Errorf("want all 95, got %d, %v", len(found), err)
	}
}

func TestPagesOfReferrersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const index = `{"schemaVersion":2,"manifests":[]}`
	page := func(link, content string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Link", link)
			_, _ = w.Write([]byte(content))
			return true
		}
	}
	tests := map[string]struct {
		given      func(http.ResponseWriter, *http.Request) bool
		wantReason string
		wantText   string
	}{
		"pages without an end": {
			page(`</v2/app/referrers/x>; rel="next"`, index), v1alpha1.LimitExceededReason, "100 pages",
		},
		"pages that are too large together": {
			page(`</v2/app/referrers/x>; rel="next"`, index+strings.Repeat(" ", 1<<20)),
			v1alpha1.LimitExceededReason, "8388608 bytes",
		},
		"a next page elsewhere": {
			page(`<http://192.0.2.1/hunter2>; rel="next"`, index), v1alpha1.ArtifactInvalidReason, "cannot be used",
		},
		"a link that is none": {page("hunter2", index), v1alpha1.ArtifactInvalidReason, "cannot be used"},
		"a next page that is not there": {
			func(w http.ResponseWriter, req *http.Request) bool {
				if req.URL.Path == "/v2/app/referrers/x" {
					w.WriteHeader(http.StatusNotFound)
					return true
				}
				return page(`<x>; rel="next"`, index)(w, req)
			}, v1alpha1.ArtifactInvalidReason, "has no page 2",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ocitest.New(t, ocitest.Options{})
			r.Intercept(test.given)
			_, err := client(t, oci.Config{}).Referrers(t.Context(),
				plainRef(r, "app", ""), artifact().Digest(), signature.BundleType, oci.Credentials{})
			if fault.ReasonOf(err, "") != test.wantReason || !strings.Contains(err.Error(), test.wantText) {
				t.Errorf("want %s and %q, got %v", test.wantReason, test.wantText, err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error quotes the link: %v", err)
			}
		})
	}
}

func TestAMirrorWithoutReferrersIsNotBelieved(t *testing.T) {
	t.Parallel()
	subject := artifact().Digest()
	signed := signaturetest.NewKey(t).Bundle(t, subject)
	own, mirror := ocitest.New(t, ocitest.Options{Referrers: true}), ocitest.New(t, ocitest.Options{Referrers: true})
	own.Push(t, "app", signed)
	c := client(t, oci.Config{Settings: mirrors(oci.Mirror{Prefix: own.Host(), Endpoints: []string{mirror.Server.URL}})})
	found, err := c.Referrers(t.Context(), plainRef(own, "app", ""), subject, signature.BundleType, oci.Credentials{})
	if err != nil || len(found) != 1 || len(mirror.Requests()) == 0 {
		t.Errorf("want the one of the registry after asking the mirror, got %v, %v", found, err)
	}
}

func TestARawManifestIsAnIndexToo(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	index := ocitest.NewIndex(artifact().Digest())
	r.Push(t, "app", artifact())
	r.Push(t, "app", index, "v1")
	c := client(t, oci.Config{})
	for name, ref := range map[string]oci.Reference{
		"by tag":    plainRef(r, "app", "v1"),
		"by digest": {Repository: r.Host() + "/app", Digest: index.Digest().String(), Insecure: true},
	} {
		got, err := c.RawManifest(t.Context(), ref, oci.Credentials{})
		if err != nil || string(got) != string(index.Manifest) {
			t.Errorf("%s: want the index itself, got %s, %v", name, got, err)
		}
	}
	if _, err := c.RawManifest(t.Context(), plainRef(r, "app", ""), oci.Credentials{}); fault.ClassOf(err) != fault.ClassStall {
		t.Errorf("want a reference that names nothing to be refused, got %v", err)
	}
}

func TestWhatARegistryDoesNotHave(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	c := client(t, oci.Config{})
	missing := digest.FromString("nothing")
	_, byTag := c.RawManifest(t.Context(), plainRef(r, "app", "v1"), oci.Credentials{})
	_, byDigest := c.RawManifest(t.Context(),
		oci.Reference{Repository: r.Host() + "/app", Digest: missing.String(), Insecure: true}, oci.Credentials{})
	_, blob := c.SmallBlob(t.Context(), plainRef(r, "app", ""), missing, 10, oci.Credentials{})
	for name, err := range map[string]error{"a tag": byTag, "a digest": byDigest, "a blob": blob} {
		if !errors.Is(err, fs.ErrNotExist) || fault.ClassOf(err) != fault.ClassRetry {
			t.Errorf("%s: want that it does not exist, to be tried again, got %v", name, err)
		}
	}
	answering(r, "/manifests/", http.StatusForbidden)
	_, err := c.RawManifest(t.Context(), plainRef(r, "app", "v1"), oci.Credentials{})
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("want a refusal not to be taken for absence, got %v", err)
	}
}

func TestASmallBlob(t *testing.T) {
	t.Parallel()
	r := ocitest.New(t, ocitest.Options{})
	a := artifact()
	layer := layerOf(t, a)
	r.Push(t, "app", a)
	c := client(t, oci.Config{})
	got, err := c.SmallBlob(t.Context(), plainRef(r, "app", ""), layer.Digest, layer.Size, oci.Credentials{})
	if err != nil || string(got) != content {
		t.Errorf("want the bytes, got %q, %v", got, err)
	}
	_, err = c.SmallBlob(t.Context(), plainRef(r, "app", ""), layer.Digest, layer.Size-1, oci.Credentials{})
	if fault.ReasonOf(err, "") != v1alpha1.LimitExceededReason {
		t.Errorf("want a byte too many to be an error, got %v", err)
	}
	r.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = w.Write([]byte("other bytes"))
		return true
	})
	_, err = c.SmallBlob(t.Context(), plainRef(r, "app", ""), layer.Digest, 100, oci.Credentials{})
	if fault.ReasonOf(err, "") != v1alpha1.DigestMismatchReason || !strings.Contains(err.Error(), layer.Digest.String()) {
		t.Errorf("want other bytes to be refused with the digest, got %v", err)
	}
}
