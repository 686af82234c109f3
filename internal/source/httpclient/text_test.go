package httpclient

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/api/v1alpha1"
	"github.com/cluster-bundle/cluster-api-addon-provider-bundle/internal/core/fault"
)

func TestSanitizeKeepsWhatIsTheSameTheNextTime(t *testing.T) {
	t.Parallel()
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 5), Port: 43122}
	remote := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}
	refused := &net.OpError{
		Op: "dial", Net: "tcp", Addr: remote,
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED),
	}
	tests := map[string]struct {
		given error
		want  string
	}{
		"a connection that is refused": {
			given: refused,
			want:  "connect: connection refused",
		},
		"a connection to a proxy that is refused": {
			given: &net.OpError{Op: "proxyconnect", Net: "tcp", Err: refused},
			want:  "proxyconnect: connect: connection refused",
		},
		"a connection that is reset": {
			given: fmt.Errorf("net/http: %w", &net.OpError{
				Op: "read", Net: "tcp", Source: local, Addr: remote,
				Err: os.NewSyscallError("read", syscall.ECONNRESET),
			}),
			want: "read: connection reset by peer",
		},
		"a connection that ends before the answer": {
			given: fmt.Errorf("net/http: %w", io.EOF),
			want:  "the server closed the connection without an answer",
		},
		"a connection that takes too long": {
			given: &net.OpError{Op: "dial", Net: "tcp", Addr: remote, Err: os.ErrDeadlineExceeded},
			want:  "dial: i/o timeout",
		},
		"a name that is not known": {
			given: &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}},
			want:  "the host's name is not known",
		},
		"a name server that is silent": {
			given: &net.DNSError{Err: "read udp 10.0.0.5:43122->10.0.0.10:53: i/o timeout", IsTimeout: true},
			want:  "the name server did not answer in time",
		},
		"a name server that fails": {
			given: &net.DNSError{Err: "server misbehaving", Server: "10.0.0.10:53", IsTemporary: true},
			want:  "the host's name could not be looked up",
		},
		"a certificate that has expired": {
			given: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026-03-01T12:00:00Z"},
			want:  "the certificate has expired or is not yet valid",
		},
		"a text of the server": {
			given: errors.New("malformed \n" + strings.Repeat("x", 1000)),
			want:  "malformed " + strings.Repeat("x", 243) + "…",
		},
		"a short text of the server on two lines": {
			given: errors.New("malformed\nHTTP status"),
			want:  "malformed HTTP status",
		},
		"an error of a client that holds a URL": {
			given: fmt.Errorf("pull: %w", &url.Error{
				Op: "Get", URL: "https://example.org/?token=hunter2", Err: &net.OpError{Op: "read", Err: io.EOF},
			}),
			want: "read: the server closed the connection without an answer",
		},
		"an error with a class": {
			given: &net.OpError{
				Op: "dial", Addr: remote,
				Err: fault.Stall(v1alpha1.SourceDeniedReason, errors.New("denied")),
			},
			want: "denied",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Sanitize(t.Context(), tc.given)
			if got.Error() != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
			if fault.ClassOf(got) != fault.ClassOf(tc.given) {
				t.Errorf("want class %d, got %d", fault.ClassOf(tc.given), fault.ClassOf(got))
			}
		})
	}
}

func TestSanitizeReturnsWhyTheContextEnded(t *testing.T) {
	t.Parallel()
	ctx, cancel := WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if got := Sanitize(ctx, errors.New("net/http: request canceled")); !errors.Is(got, ErrTooLong) {
		t.Errorf("want %v, got %v", ErrTooLong, got)
	}
}
