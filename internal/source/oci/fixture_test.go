package oci_test

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/oci/ocitest"
)

const (
	yamlType = "application/yaml"
	content  = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n"

	// secret is in every password, token and query of these tests, and in no message.
	secret = "hunter2"
)

// client returns a Client for cfg. Fields that a test leaves out are those of
// oci.DefaultConfig, without a proxy.
func client(t *testing.T, cfg oci.Config) *oci.Client {
	t.Helper()
	defaults := oci.DefaultConfig()
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	cfg.UserAgent = cmp.Or(cfg.UserAgent, defaults.UserAgent)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, defaults.ConnectTimeout)
	cfg.HeaderTimeout = cmp.Or(cfg.HeaderTimeout, defaults.HeaderTimeout)
	cfg.StallTimeout = cmp.Or(cfg.StallTimeout, defaults.StallTimeout)
	cfg.DownloadTimeout = cmp.Or(cfg.DownloadTimeout, defaults.DownloadTimeout)
	cfg.MaxManifest = cmp.Or(cfg.MaxManifest, defaults.MaxManifest)
	cfg.MaxTags = cmp.Or(cfg.MaxTags, defaults.MaxTags)
	cfg.MaxRedirects = cmp.Or(cfg.MaxRedirects, defaults.MaxRedirects)
	c, err := oci.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func artifact() ocitest.Artifact {
	return ocitest.NewArtifact(ocitest.File{Title: "a.yaml", MediaType: yamlType, Content: []byte(content)})
}

// layerOf returns the only layer of an artifact.
func layerOf(t *testing.T, a ocitest.Artifact) oci.Layer {
	t.Helper()
	layers, err := oci.Layers(a.Manifest, nil, anything)
	if err != nil {
		t.Fatal(err)
	}
	return layers[0]
}

func anything(string, string) bool { return true }

// plainRef names something of a registry without TLS.
func plainRef(r *ocitest.Registry, repository, tag string) oci.Reference {
	return oci.Reference{Repository: r.Host() + "/" + repository, Tag: tag, Insecure: true}
}

// pull resolves ref and reads its manifest and its first layer.
func pull(t *testing.T, c *oci.Client, ref oci.Reference, creds oci.Credentials) (string, error) {
	t.Helper()
	d, err := c.Resolve(t.Context(), ref, creds)
	if err != nil {
		return "", err
	}
	manifest, err := c.Manifest(t.Context(), ref, d, creds)
	if err != nil {
		return "", err
	}
	layers, err := oci.Layers(manifest, nil, anything)
	if err != nil {
		return "", err
	}
	got, _, err := readBlob(t, c, ref, layers[0], 0, creds)
	return got, err
}

// readBlob returns what Blob has from offset on, and where it began.
func readBlob(
	t *testing.T, c *oci.Client, ref oci.Reference, l oci.Layer, offset int64, creds oci.Credentials,
) (string, int64, error) {
	t.Helper()
	body, from, err := c.Blob(t.Context(), ref, l, offset, creds)
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	return string(got), from, err
}

func wantPulled(t *testing.T, got string, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got != content {
		t.Errorf("want %q, got %q", content, got)
	}
}

// someDigest is that of nothing in particular.
func someDigest() digest.Digest { return digest.FromString("nothing in particular") }

// serving returns a status for what f picks.
func serving(status int, f func(*http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !f(r) {
			return false
		}
		w.WriteHeader(status)
		return true
	}
}

func everything(*http.Request) bool { return true }

func blobs(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }

func count(requests []string, prefix string) int {
	n := 0
	for _, r := range requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// failing is a way to connect that leads to an error.
func failing(err error) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) { return nil, err }
}
