package oci

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Bounds of the mirrors.
const (
	maxMirrors   = 256
	maxEndpoints = 16
)

// Mirror names further servers of repositories.
type Mirror struct {
	// Prefix is a registry, perhaps with the first elements of a path, for
	// example ghcr.io or ghcr.io/example. Of several that fit, the longest is used.
	Prefix string

	// Endpoints are tried in this order before the registry itself. Each replaces
	// the prefix: with ghcr.io at https://mirror.example/ghcr,
	// ghcr.io/a/b is mirror.example/ghcr/a/b. Without a scheme it is https.
	Endpoints []string

	// CA holds the authorities in PEM that the endpoints are verified with. Empty
	// means those of the system.
	CA string
}

// ValidateMirrors returns an error for more than 256 mirrors, a duplicated prefix, and an
// endpoint or an authority that is not valid.
func ValidateMirrors(mirrors []Mirror) error {
	if len(mirrors) > maxMirrors {
		return fmt.Errorf("%d mirrors are more than %d", len(mirrors), maxMirrors)
	}
	seen := map[string]bool{}
	for i, m := range mirrors {
		if err := m.validate(); err != nil {
			return fmt.Errorf("mirrors[%d]: %w", i, err)
		}
		if seen[m.Prefix] {
			return fmt.Errorf("mirrors[%d]: the prefix %s is duplicated", i, m.Prefix)
		}
		seen[m.Prefix] = true
	}
	return nil
}

func (m Mirror) validate() error {
	host, below, _ := strings.Cut(m.Prefix, "/")
	probe := registry.Reference{Registry: host, Repository: cmp.Or(below, "any")}
	if strings.HasSuffix(m.Prefix, "/") || probe.ValidateRegistry() != nil || probe.ValidateRepository() != nil {
		return errors.New("the prefix is not of the form host or host/path")
	}
	if len(m.Endpoints) == 0 || len(m.Endpoints) > maxEndpoints {
		return fmt.Errorf("%d endpoints are not 1 to %d", len(m.Endpoints), maxEndpoints)
	}
	for i, text := range m.Endpoints {
		if _, err := parseEndpoint(text, "any"); err != nil {
			return fmt.Errorf("endpoints[%d]: %w", i, err)
		}
	}
	_, err := m.roots()
	return err
}

func (m Mirror) roots() (*x509.CertPool, error) {
	if m.CA == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(m.CA)) {
		return nil, errors.New("ca holds no certificate")
	}
	return pool, nil
}

// parseEndpoint returns the endpoint of a repository below that of a mirror.
func parseEndpoint(text, repository string) (endpoint, error) {
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || !httpclient.IsHTTP(u) {
		return endpoint{}, errors.New("not a host and a path with http://, https:// or nothing in front")
	}
	path := strings.TrimSuffix(u.Path, "/") + "/" + repository
	ref := registry.Reference{Registry: u.Host, Repository: strings.TrimPrefix(path, "/")}
	if u.Host == "" || ref.ValidateRegistry() != nil || ref.ValidateRepository() != nil {
		return endpoint{}, errors.New("not a host and a path that a repository may have")
	}
	return endpoint{ref: ref, plain: u.Scheme == "http", mirror: true}, nil
}

// endpointsOf returns where ref is looked for: at the endpoints of the mirror with
// the longest prefix, then at the registry itself.
func endpointsOf(ref registry.Reference, insecure bool, mirrors []Mirror) ([]endpoint, error) {
	var endpoints []endpoint
	if m, ok := longest(mirrors, ref); ok {
		roots, err := m.roots()
		if err != nil {
			return nil, err
		}
		rest := strings.TrimPrefix(ref.Registry+"/"+ref.Repository, m.Prefix+"/")
		for _, text := range m.Endpoints {
			e, err := parseEndpoint(text, rest)
			if err != nil {
				return nil, fmt.Errorf("mirror of %s: %w", m.Prefix, err)
			}
			e.roots = roots
			endpoints = append(endpoints, e)
		}
	}
	return append(endpoints, endpoint{ref: ref, plain: insecure}), nil
}

// longest returns the mirror of ref with the longest prefix. A prefix that is a
// whole repository is not one: nothing would be left below the endpoint.
func longest(mirrors []Mirror, ref registry.Reference) (Mirror, bool) {
	full := ref.Registry + "/" + ref.Repository
	fitting := slices.DeleteFunc(slices.Clone(mirrors), func(m Mirror) bool {
		return !strings.HasPrefix(full, m.Prefix+"/")
	})
	if len(fitting) == 0 {
		return Mirror{}, false
	}
	return slices.MaxFunc(fitting, func(a, b Mirror) int { return cmp.Compare(len(a.Prefix), len(b.Prefix)) }), true
}
