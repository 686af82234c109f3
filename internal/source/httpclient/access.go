package httpclient

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// The keys of a Secret that are read.
const (
	UsernameKey    = "username"
	PasswordKey    = "password"
	TokenKey       = "token"
	CertificateKey = "tls.crt"
	PrivateKeyKey  = "tls.key"
	AuthoritiesKey = "ca.crt"
)

// Redacted replaces what is secret wherever it is printed.
const Redacted = "[redacted]"

// Access is who we are for one server, and the authorities that it is verified
// with. It prints as a placeholder.
type Access struct {
	// From names where the login and the certificate come from, for messages, such as
	// "Secret web-login", and CAsFrom where the authorities come from.
	From, CAsFrom string

	// Username and Password are for basic authentication.
	Username, Password string

	// Token is a bearer token.
	Token string

	// Certificate is shown to the server if it asks for one. Nil means none.
	Certificate *tls.Certificate

	// RootCAs are the authorities that the server is verified with. Nil means those
	// of the system.
	RootCAs *x509.CertPool
}

// AccessFrom returns what a Secret holds: username and password, or token; tls.crt
// and tls.key; and ca.crt. All of it may be missing.
//
// What cannot be used is the stalling ReferenceInvalid, in words that hold nothing
// of the content.
func AccessFrom(secret map[string][]byte) (Access, error) {
	a := Access{
		Username: string(secret[UsernameKey]),
		Password: string(secret[PasswordKey]),
		Token:    strings.TrimSpace(string(secret[TokenKey])),
	}
	if err := a.checkLogin(); err != nil {
		return Access{}, err
	}
	var err error
	if a.Certificate, err = certificateFrom(secret); err != nil {
		return Access{}, err
	}
	if _, ok := secret[AuthoritiesKey]; ok {
		a.RootCAs, err = RootCAsFrom(secret)
	}
	return a, err
}

// RootCAsFrom returns the authorities under ca.crt of a Secret, with errors as
// AccessFrom has them.
func RootCAsFrom(secret map[string][]byte) (*x509.CertPool, error) {
	pem, ok := secret[AuthoritiesKey]
	if !ok {
		return nil, badSecret("it has no key %s", AuthoritiesKey)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, badSecret("the key %s holds no certificate", AuthoritiesKey)
	}
	return pool, nil
}

// checkLogin returns an error unless a can be sent, and has one login at most.
func (a Access) checkLogin() error {
	switch {
	case (a.Username == "") != (a.Password == ""):
		return badSecret("it has only one of the keys %s and %s", UsernameKey, PasswordKey)
	case a.Username != "" && a.Token != "":
		return badSecret("it has both the keys %s and %s: which one is meant?", UsernameKey, TokenKey)
	case !IsHeaderText(a.Token):
		return badSecret("the key %s holds what cannot be sent", TokenKey)
	}
	return nil
}

// IsEmpty reports whether a is that of anybody, with the authorities of the system.
func (a Access) IsEmpty() bool { return !a.HasCredentials() && a.RootCAs == nil }

// HasCredentials reports whether a holds what is for one server only.
func (a Access) HasCredentials() bool {
	return a.Username != "" || a.Token != "" || a.Certificate != nil
}

// Denied explains the status of a server that denied access to a, in the words
// that follow it; empty for other statuses.
func (a Access) Denied(status int) string {
	switch {
	case status != http.StatusUnauthorized && status != http.StatusForbidden:
		return ""
	case a.HasCredentials():
		return ": it refuses the credentials of " + cmp.Or(a.From, "the source") + a.keys()
	}
	return ": it may need credentials, which secretRef names"
}

// keys names the keys of the Secret that are sent, for messages.
func (a Access) keys() string {
	switch {
	case a.Token != "":
		return ", key " + TokenKey
	case a.Username != "":
		return ", keys " + UsernameKey + " and " + PasswordKey
	}
	return ", keys " + CertificateKey + " and " + PrivateKeyKey
}

// Authorization returns the value of the header of that name; empty without a login.
func (a Access) Authorization() string {
	switch {
	case a.Token != "":
		return "Bearer " + a.Token
	case a.Username != "":
		return BasicAuth(a.Username, a.Password)
	}
	return ""
}

// BasicAuth returns the value of Authorization for a user (RFC 7617 section 2).
func BasicAuth(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}

// IsHeaderText reports whether s may be sent in a header.
func IsHeaderText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// String hides what it is.
func (a Access) String() string { return Redacted }

// Format hides what it is from every verb.
func (a Access) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// MarshalText hides what it is from encoders.
func (a Access) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

func badSecret(format string, args ...any) error {
	return fault.Stallf(v1alpha1.ReferenceInvalidReason, format, args...)
}

func certificateFrom(secret map[string][]byte) (*tls.Certificate, error) {
	certificate, key := secret[CertificateKey], secret[PrivateKeyKey]
	if len(certificate) == 0 && len(key) == 0 {
		return nil, nil
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, badSecret("the keys %s and %s are not a certificate and its key", CertificateKey, PrivateKeyKey)
	}
	return &pair, nil
}
