package test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strings"

	. "github.com/onsi/gomega"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
)

// answering returns a source at a server that answers as the function does.
func answering(answer http.HandlerFunc) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source {
		s.web.handle("/calico.yaml", answer)
		return s.web.source("calico.yaml", good(s))
	}
}

// at returns a source at a URL that is not asked.
func at(url string) func(*scenario) v1alpha1.Source {
	return func(s *scenario) v1alpha1.Source {
		source := s.web.source("", good(s))
		source.HTTPS.URL = url
		return source
	}
}

// badFiles are what a web server, or who stands in its place, may answer.
func badFiles() map[string]badInput {
	return map[string]badInput{
		"another digest": {
			given: func(s *scenario) v1alpha1.Source {
				source := s.web.publish("calico.yaml", good(s)+"# changed\n")
				source.HTTPS.Digest = s.web.source("", good(s)).HTTPS.Digest
				return source
			},
			want: "False DigestMismatch: .*calico.yaml.*sha256:", stall: true,
		},
		"a body that is cut off": {
			given: answering(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", "1000")
				_, _ = rw.Write([]byte("kind: ConfigMap\n"))
			}),
			want: "False FetchFailed: .*calico.yaml.*cut off after [0-9]+ of 1000 bytes",
		},
		"nothing there": {given: answering(http.NotFound), want: "False FetchFailed: .*calico.yaml.*404"},
		"a broken server": {
			given: answering(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusInternalServerError) }),
			want:  "False FetchFailed: .*calico.yaml.*500",
		},
		"a login that is asked for": {
			given: answering(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusUnauthorized) }),
			want:  "False FetchFailed: .*calico.yaml.*401.*it may need credentials, which secretRef names",
		},
		"a redirect to the http of another host": {
			given: func(s *scenario) v1alpha1.Source {
				elsewhere := strings.Replace(s.web.URL, "127.0.0.1", "localhost", 1)
				return answering(func(rw http.ResponseWriter, r *http.Request) {
					http.Redirect(rw, r, elsewhere+"/secret.yaml", http.StatusFound)
				})(s)
			},
			want: "False SourceDenied: .*calico.yaml.*redirect", stall: true,
		},
		"redirects without end": {
			given: answering(func(rw http.ResponseWriter, r *http.Request) {
				http.Redirect(rw, r, r.URL.Path+"?again", http.StatusFound)
			}),
			want: "False LimitExceeded: .*calico.yaml.*more than 5 redirects", stall: true,
		},
		"a body over the limit": {
			given: answering(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Length", fmt.Sprint(512<<20+1))
				rw.WriteHeader(http.StatusOK)
			}),
			want: "False LimitExceeded: .*calico.yaml.*536870912", stall: true,
		},
		"a body that is a gzip bomb": {
			given: func(s *scenario) v1alpha1.Source {
				bomb := gzipped(s, 64<<20)
				return answering(func(rw http.ResponseWriter, _ *http.Request) {
					rw.Header().Set("Content-Encoding", "gzip")
					_, _ = rw.Write(bomb)
				})(s)
			},
			want: "False LimitExceeded: .*calico.yaml.*200", stall: true,
		},
		"an encoding that nobody asked for": {
			given: answering(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Encoding", "br")
				_, _ = rw.Write([]byte("?"))
			}),
			want: "False .*calico.yaml.*\"?br\"?", stall: false,
		},
		"the address of a cloud's credentials": {
			given: at("https://169.254.169.254/latest/meta-data.yaml"),
			want:  "False SourceDenied: .*169.254.169.254", stall: true,
		},
		"that address behind NAT64": {
			given: at("https://[64:ff9b::a9fe:a9fe]/meta-data.yaml"),
			want:  "False SourceDenied: .*64:ff9b::a9fe:a9fe", stall: true,
		},
		"that address as 6to4": {
			given: at("https://[2002:a9fe:a9fe::1]/meta-data.yaml"),
			want:  "False SourceDenied: .*2002:a9fe:a9fe::1", stall: true,
		},
	}
}

// gzipped returns so many equal bytes, compressed.
func gzipped(s *scenario, size int) []byte {
	s.t.Helper()
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, err := w.Write(bytes.Repeat([]byte("#"), size))
	s.Expect(err).NotTo(HaveOccurred())
	s.Expect(w.Close()).To(Succeed())
	return buffer.Bytes()
}
