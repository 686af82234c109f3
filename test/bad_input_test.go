package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/testenv"
)

// good is a small manifest that can be applied anywhere.
func good(s *scenario) string { return configMap("default", s.namespace, "good") }

func TestABadSourceIsAClearConditionAndNothingIsApplied(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		given func(s *scenario) v1alpha1.Source
		want  string // regular expression for the Ready condition of the Bundle
		stall bool
	}{
		"the digest is another one": {
			given: func(s *scenario) v1alpha1.Source {
				source := s.web.publish("calico.yaml", good(s)+"# changed\n")
				source.HTTPS.Digest = s.web.source("", good(s)).HTTPS.Digest
				return source
			},
			want:  "False DigestMismatch: .*calico.yaml.*sha256:",
			stall: true,
		},
		"the body is cut off": {
			given: func(s *scenario) v1alpha1.Source {
				s.web.handle("/calico.yaml", func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Content-Length", "1000")
					_, _ = rw.Write([]byte(good(s)))
				})
				return s.web.source("calico.yaml", good(s))
			},
			want: "False FetchFailed: .*calico.yaml.*cut off after [0-9]+ of 1000 bytes",
		},
		"the file is not there": {
			given: func(s *scenario) v1alpha1.Source { return s.web.source("missing.yaml", good(s)) },
			want:  "False FetchFailed: .*missing.yaml.*404",
		},
		"the server is broken": {
			given: func(s *scenario) v1alpha1.Source {
				s.web.handle("/calico.yaml", func(rw http.ResponseWriter, _ *http.Request) {
					rw.WriteHeader(http.StatusInternalServerError)
				})
				return s.web.source("calico.yaml", good(s))
			},
			want: "False FetchFailed: .*calico.yaml.*500",
		},
		"the server redirects to the http of another host": {
			given: func(s *scenario) v1alpha1.Source {
				elsewhere := strings.Replace(s.web.URL, "127.0.0.1", "localhost", 1)
				s.web.publish("secret.yaml", good(s))
				s.web.handle("/calico.yaml", func(rw http.ResponseWriter, r *http.Request) {
					http.Redirect(rw, r, elsewhere+"/secret.yaml", http.StatusFound)
				})
				return s.web.source("calico.yaml", good(s))
			},
			want:  "False SourceDenied: .*calico.yaml.*redirect",
			stall: true,
		},
		"the body is over the limit": {
			given: func(s *scenario) v1alpha1.Source {
				s.web.handle("/calico.yaml", func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Content-Length", fmt.Sprint(512<<20+1))
					rw.WriteHeader(http.StatusOK)
				})
				return s.web.source("calico.yaml", good(s))
			},
			want:  "False LimitExceeded: .*calico.yaml.*536870912",
			stall: true,
		},
		"the body is a gzip bomb": {
			given: func(s *scenario) v1alpha1.Source {
				bomb := gzipped(s, 64<<20)
				s.web.handle("/calico.yaml", func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Content-Encoding", "gzip")
					_, _ = rw.Write(bomb)
				})
				return s.web.source("calico.yaml", good(s))
			},
			want:  "False LimitExceeded: .*calico.yaml.*200",
			stall: true,
		},
		"document 17 is not YAML": {
			given: func(s *scenario) v1alpha1.Source {
				documentsOf := make([]string, 17)
				for i := range documentsOf {
					documentsOf[i] = configMap("default", fmt.Sprintf("%s-%d", s.namespace, i), "good")
				}
				documentsOf[16] = "kind: [not closed\n"
				return s.web.publish("calico.yaml", documents(documentsOf...))
			},
			want:  `False ManifestInvalid: .*calico.yaml, document 17 \(line`,
			stall: true,
		},
		"an object has no kind": {
			given: func(s *scenario) v1alpha1.Source {
				return s.web.publish("calico.yaml", documents(good(s), "apiVersion: v1\nmetadata: {name: nobody}\n"))
			},
			want:  `False ManifestInvalid: .*calico.yaml, document 2 .*kind`,
			stall: true,
		},
		"an object is duplicated with different content": {
			given: func(s *scenario) v1alpha1.Source {
				return s.web.publish("calico.yaml", documents(good(s), configMap("default", s.namespace, "other")))
			},
			want:  `False ObjectConflict: .*calico.yaml, document 1.*calico.yaml, document 2`,
			stall: true,
		},
		"an expression does not compile": {
			given: func(s *scenario) v1alpha1.Source { return s.web.publish("calico.yaml", good(s)) },
			want:  "False ExpressionInvalid: .*phase broken.*TigeraStatus calico",
			stall: true,
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			workload := testenv.SharedWorkload(t)
			seen := testenv.NewProxy(t, workload.APIServer)
			broken := release("1.0.0", phase("fine", s.web.publish("fine.yaml", configMap("default", s.namespace+"-fine", "x"))),
				phase("broken", tc.given(s)))
			if tc.want == "False ExpressionInvalid: .*phase broken.*TigeraStatus calico" {
				broken.Phases[1].ReadyWhen = []v1alpha1.ReadyWhen{{
					Object:     v1alpha1.ObjectReference{APIVersion: "operator.tigera.io/v1", Kind: "TigeraStatus", Name: "calico"},
					Expression: "self.status.(",
				}}
			}
			bundle := s.bundle("bad", broken)
			s.set("bad")
			s.cluster("nice", "bad", seen)

			s.Eventually(s.state(bundle, v1alpha1.ReadyCondition)).Should(MatchRegexp(tc.want))
			s.Expect(bundle.Status.Releases).To(HaveLen(1))
			s.Expect(bundle.Status.Releases[0].Message).NotTo(BeEmpty())
			s.Eventually(s.ready("bad-nice")).Should(MatchRegexp(strings.Replace(tc.want, "calico.yaml", ".*", 1)))
			wantStalled := HavePrefix("False")
			if tc.stall {
				wantStalled = HavePrefix("True")
			}
			s.Expect(s.state(s.named("bad-nice"), v1alpha1.StalledCondition)()).To(wantStalled)
			s.Expect(seen.Writes()).To(BeEmpty(), "nothing of a release is applied that is not whole")

			// A bundle that is fine is not disturbed.
			s.bundle("fine", release("1.0.0", phase("all", inline(configMap("default", s.namespace+"-ok", "x")))))
			s.set("fine")
			s.cluster("tours", "fine", workload)
			s.Eventually(s.ready("fine-tours")).Should(Equal(isReady))
		})
	}
}

// gzipped returns so many zero bytes, compressed.
func gzipped(s *scenario, size int) []byte {
	s.t.Helper()
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, err := w.Write(bytes.Repeat([]byte("#"), size))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(w.Close()).To(Succeed())
	return buffer.Bytes()
}

func TestTheAPIServerRefusesWhatCannotBeMeant(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		bundle func(*v1alpha1.Bundle)
		set    func(*v1alpha1.ClusterBundleSet)
		want   string
	}{
		"two phases of one name": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases = append(b.Spec.Releases[0].Phases, b.Spec.Releases[0].Phases[0])
			},
			want: `spec.releases\[0\].phases\[1\]: Duplicate value`,
		},
		"two releases of one version": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases = append(b.Spec.Releases, b.Spec.Releases[0]) },
			want:   `spec.releases\[1\]: Duplicate value`,
		},
		"a version that is none": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases[0].Version = "latest" },
			want:   "version must be a semantic version",
		},
		"more than 256 sources in all phases": {
			bundle: func(b *v1alpha1.Bundle) {
				phase := b.Spec.Releases[0].Phases[0]
				phase.Sources = slices.Repeat(phase.Sources[:1], 32)
				b.Spec.Releases[0].Phases = nil
				for i := range 9 {
					phase.Name = fmt.Sprintf("phase-%d", i)
					b.Spec.Releases[0].Phases = append(b.Spec.Releases[0].Phases, phase)
				}
			},
			want: "a release has at most 256 sources in all its phases",
		},
		"a source of two kinds": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0].File = &v1alpha1.FileSource{
					Path: "a.yaml", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}
			},
			want: "exactly one of the fields",
		},
		"a source of no kind": {
			bundle: func(b *v1alpha1.Bundle) { b.Spec.Releases[0].Phases[0].Sources[0].Inline = nil },
			want:   "exactly one of the fields",
		},
		"a file outside of the bundle directory": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{File: &v1alpha1.FileSource{
					Path: "a/../../etc/passwd", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}}
			},
			want: "path",
		},
		"a digest that is not sha256": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
					URL: "https://example.org/a.yaml", Digest: "md5:" + v1alpha1.Digest(strings.Repeat("0", 67)),
				}}
			},
			want: "digest",
		},
		"a URL of another scheme": {
			bundle: func(b *v1alpha1.Bundle) {
				b.Spec.Releases[0].Phases[0].Sources[0] = v1alpha1.Source{HTTPS: &v1alpha1.HTTPSSource{
					URL: "ftp://example.org/a.yaml", Digest: v1alpha1.Digest("sha256:" + strings.Repeat("0", 64)),
				}}
			},
			want: "url",
		},
		"an empty selector": {
			set:  func(s *v1alpha1.ClusterBundleSet) { s.Spec.ClusterSelector.MatchLabels = nil },
			want: "clusterSelector",
		},
		"a set without a bundle": {
			set:  func(s *v1alpha1.ClusterBundleSet) { s.Spec.Bundle.Name = "" },
			want: "spec.bundle",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScenario(t)
			bundle, set := validBundle(s), validSet(s)
			if tc.bundle != nil {
				tc.bundle(bundle)
				s.Expect(s.management.Client.Create(t.Context(), bundle)).To(MatchError(MatchRegexp(tc.want)))
				return
			}
			tc.set(set)
			s.Expect(s.management.Client.Create(t.Context(), set)).To(MatchError(MatchRegexp(tc.want)))
		})
	}
}

func validBundle(s *scenario) *v1alpha1.Bundle {
	b := &v1alpha1.Bundle{Spec: v1alpha1.BundleSpec{Releases: []v1alpha1.Release{
		release("1.0.0", phase("all", inline(good(s)))),
	}}}
	b.Namespace, b.Name = s.namespace, "valid"
	return b
}

func validSet(s *scenario) *v1alpha1.ClusterBundleSet {
	set := &v1alpha1.ClusterBundleSet{Spec: v1alpha1.ClusterBundleSetSpec{Bundle: v1alpha1.BundleSelector{Name: "valid"}}}
	set.Spec.ClusterSelector.MatchLabels = optIn("valid")
	set.Namespace, set.Name = s.namespace, "valid"
	return set
}
