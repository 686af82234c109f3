package httpclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

// Remedies are what helps where client and server do not agree about TLS, in the
// words of who configured the connection. Each ends a message, and may be empty.
type Remedies struct {
	// NoTLS is for a server that is asked with TLS and speaks plain HTTP.
	NoTLS string

	// TLS is for a server that is asked without TLS and seems to speak it.
	TLS string

	// Authority is for a certificate of an authority that is not known.
	Authority string
}

// OfError returns err, the sanitized error of a request with the given scheme, with
// its remedy if there is one.
func (r Remedies) OfError(scheme string, err error) error {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return withRemedy(err, "the server speaks no TLS", r.NoTLS)
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return withRemedy(err, "", r.Authority)
	}
	if scheme == "http" && brokenAnswer(err) {
		return withRemedy(err, "it may speak TLS", r.TLS)
	}
	return err
}

// OfStatus returns err, that of an unsuccessful status of a request with the given
// scheme, with its remedy if there is one: servers answer with 400 to plain HTTP
// where they speak TLS.
func (r Remedies) OfStatus(scheme string, code int, err error) error {
	if scheme == "http" && code == http.StatusBadRequest {
		return withRemedy(err, "it may speak TLS", r.TLS)
	}
	return err
}

// brokenAnswer reports whether a server was reached and what it sent is no HTTP: an
// alert of TLS is not, and many servers just close the connection.
func brokenAnswer(err error) bool {
	if _, ok := errors.AsType[net.Error](err); ok {
		return false
	}
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return false
	}
	return !errors.Is(err, context.Canceled) && !errors.Is(err, ErrTooLong)
}

func withRemedy(err error, what, remedy string) error {
	switch {
	case remedy == "":
		return err
	case what == "":
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return fmt.Errorf("%w: %s: %s", err, what, remedy)
}
