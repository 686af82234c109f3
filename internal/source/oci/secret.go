package oci

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/source/httpclient"
)

// The type of a Secret with a file of docker's, and its key.
const (
	dockerConfigType = "kubernetes.io/dockerconfigjson"
	dockerConfigKey  = ".dockerconfigjson"
)

// loginKeys hold who we are, unless a docker config does.
var loginKeys = []string{httpclient.UsernameKey, httpclient.PasswordKey, httpclient.TokenKey}

// maxLogins bounds the entries of a docker config.
const maxLogins = 1000

// CredentialsFrom returns the credentials that a Secret of the given type holds:
// the entries of .dockerconfigjson if that is its type, else username and
// password, or token, for registryHost; tls.crt and tls.key; and ca.crt. It is nil for
// none. The entries of a docker config are matched as the kubelet does (host patterns,
// longest path), but elements of a path only as a whole.
//
// What cannot be used is the stalling ReferenceInvalid, in words that hold
// nothing of the content.
func CredentialsFrom(registryHost, secretType string, secret map[string][]byte) (Credentials, error) {
	access, err := accessFrom(secretType, secret)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{
		LoginKeys: loginKeysOf(secretType, secret), ClientCertificate: access.Certificate, RootCAs: access.RootCAs,
		NamesNoHost: access.HasCredentials(),
	}
	if c.Logins, err = loginsFrom(registryHost, secretType, secret, access); err != nil {
		return Credentials{}, err
	}
	if secret != nil && len(c.Logins) == 0 && c.ClientCertificate == nil && c.RootCAs == nil {
		return Credentials{}, badSecret("the Secret has none of the keys %s, %s, %s, %s and %s", dockerConfigKey,
			httpclient.UsernameKey, httpclient.TokenKey, httpclient.CertificateKey, httpclient.AuthoritiesKey)
	}
	return c, nil
}

// accessFrom returns what is not a docker config. Who we are is in only one of the
// two.
func accessFrom(secretType string, secret map[string][]byte) (httpclient.Access, error) {
	if secretType == dockerConfigType {
		secret = maps.Clone(secret)
		maps.DeleteFunc(secret, func(key string, _ []byte) bool { return slices.Contains(loginKeys, key) })
	}
	return httpclient.AccessFrom(secret)
}

func loginsFrom(host, secretType string, secret map[string][]byte, access httpclient.Access) ([]Login, error) {
	if secretType == dockerConfigType {
		return dockerLogins(secret[dockerConfigKey])
	}
	login := Login{Username: access.Username, Password: access.Password, RegistryToken: access.Token}
	if login == (Login{}) {
		return nil, nil
	}
	login.Prefix = canonicalHost(host)
	return []Login{login}, nil
}

// loginKeysOf names the keys that the logins of a Secret are from, for messages; empty
// without any.
func loginKeysOf(secretType string, secret map[string][]byte) string {
	switch {
	case secretType == dockerConfigType:
		return "key " + dockerConfigKey
	case len(secret[httpclient.UsernameKey]) > 0:
		return "keys " + httpclient.UsernameKey + " and " + httpclient.PasswordKey
	case len(secret[httpclient.TokenKey]) > 0:
		return "key " + httpclient.TokenKey
	}
	return ""
}

func badSecret(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ReferenceInvalidReason, format, args...)
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
	if !httpclient.IsHeaderText(login.RegistryToken) {
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
