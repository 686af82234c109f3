package oci

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strings"

	"oras.land/oras-go/v2/registry"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// Credentials authenticate us to a registry and the registry to us. They print as
// a placeholder.
type Credentials struct {
	// Logins are sent to registries. The longest prefix that fits is used.
	Logins []Login

	// LoginKeys names the keys of the Secret that the logins are from, as in "key
	// token". Secret is its name, empty where the source names none. Both are for
	// messages.
	LoginKeys, Secret string

	// NamesNoHost is set if a login or the client certificate does not say which
	// registry it is for, as the entries of a docker config do.
	NamesNoHost bool

	// ClientCertificate is shown to the registry that a Bundle names; not to its
	// mirrors. Nil means none.
	ClientCertificate *tls.Certificate

	// RootCAs are the authorities that the registry that a Bundle names is
	// verified with; not its mirrors. Nil means those of the system.
	RootCAs *x509.CertPool

	// RootCAsSecret is the name of the Secret that they are from, for messages.
	RootCAsSecret string
}

// Login is who we are at one registry or below one path of it.
type Login struct {
	// Prefix is a host, with its port if it is not that of the scheme, and
	// perhaps the first elements of a path. A label of the host may be a pattern
	// of path.Match, as in *.example.com.
	Prefix string

	// Username and Password are for basic authentication, and for token servers.
	Username, Password string

	// IdentityToken is a refresh token that token servers take in place of a password.
	IdentityToken string

	// RegistryToken is a bearer token for the registry itself.
	RegistryToken string
}

// owner names the Secret that the logins are from, for messages.
func (c Credentials) owner() string {
	if c.LoginKeys == "" {
		return "Secret " + c.Secret
	}
	return "Secret " + c.Secret + ", " + c.LoginKeys
}

// String hides what it is.
func (c Credentials) String() string { return httpclient.Redacted }

// Format hides what it is from every verb.
func (c Credentials) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, httpclient.Redacted) }

// MarshalText hides what it is from encoders.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(httpclient.Redacted), nil }

// String hides what it is.
func (l Login) String() string { return httpclient.Redacted }

// Format hides what it is from every verb.
func (l Login) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, httpclient.Redacted) }

// MarshalText hides what it is from encoders.
func (l Login) MarshalText() ([]byte, error) { return []byte(httpclient.Redacted), nil }

// loginFor returns the login for a repository: that with the longest prefix, and
// of equals the first. Without one it is empty.
func (c Credentials) loginFor(ref registry.Reference) Login {
	var best Login
	for _, login := range c.Logins {
		if login.fits(ref) && len(login.Prefix) > len(best.Prefix) {
			best = login
		}
	}
	best.Prefix = ""
	return best
}

// fits reports whether l is for ref. Elements of a path fit as a whole: example
// is not for example-of-others.
func (l Login) fits(ref registry.Reference) bool {
	host, below, _ := strings.Cut(l.Prefix, "/")
	return matchHost(host, canonicalHost(ref.Registry)) && isBelow(below, ref.Repository)
}

// isBelow reports whether a path is root or below it. Everything is below "".
func isBelow(root, path string) bool {
	return root == "" || path == root || strings.HasPrefix(path, root+"/")
}

// matchHost reports whether host fits pattern, label by label, port and all.
func matchHost(pattern, host string) bool {
	patternName, patternPort := splitPort(pattern)
	name, port := splitPort(host)
	patterns, labels := strings.Split(patternName, "."), strings.Split(name, ".")
	if patternPort != port || len(patterns) != len(labels) {
		return false
	}
	return !slices.ContainsFunc(patterns, func(p string) bool {
		matched, err := path.Match(p, labels[0])
		labels = labels[1:]
		return err != nil || !matched
	})
}

func splitPort(host string) (name, port string) {
	if name, port, err := net.SplitHostPort(host); err == nil {
		return name, port
	}
	return host, ""
}

// canonicalHost returns the name that a registry is known by: Docker Hub has several.
func canonicalHost(host string) string {
	switch host = strings.ToLower(host); host {
	case "index.docker.io", "registry-1.docker.io":
		return "docker.io"
	}
	return host
}
