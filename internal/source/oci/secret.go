package oci

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// The type of a Secret with a file of docker's, and the keys that are read.
const (
	dockerConfigType = "kubernetes.io/dockerconfigjson"
	dockerConfigKey  = ".dockerconfigjson"
	usernameKey      = "username"
	passwordKey      = "password"
	tokenKey         = "token"
	certificateKey   = "tls.crt"
	privateKeyKey    = "tls.key"
	authoritiesKey   = "ca.crt"
)

// maxLogins bounds the entries of a docker config.
const maxLogins = 1000

// CredentialsFrom returns the credentials that a Secret of the given type holds:
// the entries of .dockerconfigjson if that is its type, else username and
// password, or token, for registryHost; tls.crt and tls.key; and ca.crt, of ca
// before that of the Secret itself. Either map may be nil. The entries of a
// docker config are matched as the kubelet does (host patterns, longest path),
// but elements of a path only as a whole.
//
// What cannot be used is the stalling ReferenceInvalid, in words that hold
// nothing of the content.
func CredentialsFrom(registryHost, secretType string, secret, ca map[string][]byte) (Credentials, error) {
	var c Credentials
	var err error
	if c.Logins, err = loginsFrom(registryHost, secretType, secret); err != nil {
		return Credentials{}, err
	}
	c.LoginKeys = loginKeys(secretType, secret)
	if c.ClientCertificate, err = certificateFrom(secret); err != nil {
		return Credentials{}, err
	}
	if c.RootCAs, err = authoritiesFrom(secret, ca); err != nil {
		return Credentials{}, err
	}
	if secret != nil && len(c.Logins) == 0 && c.ClientCertificate == nil && c.RootCAs == nil {
		return Credentials{}, badSecret("the Secret has none of the keys %s, %s, %s, %s and %s",
			dockerConfigKey, usernameKey, tokenKey, certificateKey, authoritiesKey)
	}
	return c, nil
}

func badSecret(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ReferenceInvalidReason, format, args...)
}

func loginsFrom(host, secretType string, secret map[string][]byte) ([]Login, error) {
	if secretType == dockerConfigType {
		return dockerLogins(secret[dockerConfigKey])
	}
	login := Login{
		Prefix:        canonicalHost(host),
		Username:      string(secret[usernameKey]),
		Password:      string(secret[passwordKey]),
		RegistryToken: strings.TrimSpace(string(secret[tokenKey])),
	}
	switch {
	case (login.Username == "") != (login.Password == ""):
		return nil, badSecret("the Secret has only one of the keys %s and %s", usernameKey, passwordKey)
	case login.Username != "" && login.RegistryToken != "":
		return nil, badSecret("the Secret has both the keys %s and %s: which one is meant?", usernameKey, tokenKey)
	case !isHeaderText(login.RegistryToken):
		return nil, badSecret("the key %s holds what cannot be sent", tokenKey)
	case login.Username == "" && login.RegistryToken == "":
		return nil, nil
	}
	return []Login{login}, nil
}

// loginKeys names the keys that the logins of a Secret are from, for messages; empty
// without any.
func loginKeys(secretType string, secret map[string][]byte) string {
	switch {
	case secretType == dockerConfigType:
		return "key " + dockerConfigKey
	case len(secret[usernameKey]) > 0:
		return "keys " + usernameKey + " and " + passwordKey
	case len(secret[tokenKey]) > 0:
		return "key " + tokenKey
	}
	return ""
}

// isHeaderText reports whether s may be sent in a header.
func isHeaderText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// dockerEntry is one registry of a docker config. What credential helpers know
// is not there.
type dockerEntry struct {
	Username      string `json:"username"`
	Password      string `json:"password"`
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func dockerLogins(config []byte) ([]Login, error) {
	var parsed struct {
		Auths map[string]dockerEntry `json:"auths"`
	}
	// The error of the decoder may repeat a part of the content.
	if json.Unmarshal(config, &parsed) != nil {
		return nil, badSecret("the key %s is not a docker config", dockerConfigKey)
	}
	if len(parsed.Auths) == 0 || len(parsed.Auths) > maxLogins {
		return nil, badSecret("the key %s holds %d registries, not 1 to %d",
			dockerConfigKey, len(parsed.Auths), maxLogins)
	}
	logins := make([]Login, 0, len(parsed.Auths))
	for _, name := range slices.Sorted(maps.Keys(parsed.Auths)) {
		login, err := parsed.Auths[name].login(loginPrefix(name))
		if err != nil {
			return nil, err
		}
		logins = append(logins, login)
	}
	return logins, nil
}

func (e dockerEntry) login(prefix string) (Login, error) {
	login := Login{
		Prefix: prefix, Username: e.Username, Password: e.Password,
		IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken,
	}
	if e.Auth != "" {
		decoded, err := base64.StdEncoding.DecodeString(e.Auth)
		username, password, ok := strings.Cut(string(decoded), ":")
		if err != nil || !ok {
			return Login{}, badSecret("an auth in the key %s is not a user and a password in base64", dockerConfigKey)
		}
		login.Username = cmp.Or(username, login.Username)
		login.Password = cmp.Or(strings.TrimRight(password, "\x00"), login.Password)
	}
	if !isHeaderText(login.RegistryToken) {
		return Login{}, badSecret("a registrytoken in the key %s cannot be sent", dockerConfigKey)
	}
	return login, nil
}

// loginPrefix returns the name of an entry as a prefix: docker writes some as
// the URL of an API, such as https://index.docker.io/v1/.
func loginPrefix(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
	host, below, _ := strings.Cut(strings.TrimRight(name, "/"), "/")
	if below == "v1" || below == "v2" {
		below = ""
	}
	below = strings.TrimPrefix(strings.TrimPrefix(below, "v1/"), "v2/")
	return strings.TrimRight(canonicalHost(host)+"/"+below, "/")
}

func certificateFrom(secret map[string][]byte) (*tls.Certificate, error) {
	certificate, key := secret[certificateKey], secret[privateKeyKey]
	if len(certificate) == 0 && len(key) == 0 {
		return nil, nil
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, badSecret("the keys %s and %s are not a certificate and its key", certificateKey, privateKeyKey)
	}
	return &pair, nil
}

func authoritiesFrom(secret, ca map[string][]byte) (*x509.CertPool, error) {
	pem, ok := ca[authoritiesKey]
	if ca != nil && !ok {
		return nil, badSecret("the Secret of caRef has no key %s", authoritiesKey)
	}
	if !ok {
		if pem, ok = secret[authoritiesKey]; !ok {
			return nil, nil
		}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badSecret("the key %s holds no certificate", authoritiesKey)
	}
	return pool, nil
}
