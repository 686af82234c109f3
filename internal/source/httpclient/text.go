package httpclient

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/text"
)

// maxErrorText bounds what of an error of the network goes into a message, in bytes.
const maxErrorText = 256

// Sanitize returns an error of the network with a text that is the same the next
// time: why the context ended if it did, and no addresses, ports and times of
// the day, which differ with every connection. The URL of a *url.Error, which
// may hold secrets, is left out. An error that has a class is returned without
// what the network put around it.
func Sanitize(ctx context.Context, err error) error {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		return Sanitize(ctx, e.Err)
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return &sanitizedError{text: dnsText(e), err: err}
	}
	if e, ok := errors.AsType[x509.CertificateInvalidError](err); ok && e.Reason == x509.Expired {
		return &sanitizedError{text: "the certificate has expired or is not yet valid", err: err}
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return sanitizeOp(ctx, e)
	}
	if errors.Is(err, io.EOF) {
		// The end of a connection must not pass for the end of a file.
		return &sanitizedError{text: "the server closed the connection without an answer", err: io.ErrUnexpectedEOF}
	}
	return Bounded(err)
}

// sanitizeOp leaves out the addresses of e. The error of a system call names the
// operation itself.
func sanitizeOp(ctx context.Context, e *net.OpError) error {
	if _, ok := e.Err.(*os.SyscallError); ok { //nolint:errorlint // one deeper in the chain has an Op between
		return Sanitize(ctx, e.Err)
	}
	return fmt.Errorf("%s: %w", e.Op, Sanitize(ctx, e.Err))
}

func dnsText(e *net.DNSError) string {
	switch {
	case e.IsNotFound:
		return "the host's name is not known"
	case e.IsTimeout:
		return "the name server did not answer in time"
	}
	return "the host's name could not be looked up"
}

// Bounded returns err with a text on one line of at most 256 bytes: a server may
// have written it.
func Bounded(err error) error {
	line := text.Line(err.Error(), maxErrorText)
	if line == err.Error() {
		return err
	}
	return &sanitizedError{text: line, err: err}
}

// sanitizedError is an error with another text.
type sanitizedError struct {
	text string
	err  error
}

func (e *sanitizedError) Error() string { return e.text }

func (e *sanitizedError) Unwrap() error { return e.err }
