package testenv

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"syscall"
	"testing"
)

func TestAuthority(t *testing.T) {
	t.Parallel()
	ours, other := must(newAuthority()), must(newAuthority())
	server, user := must(ours.server()), must(ours.user("ann", "readers", "writers"))
	for name, tc := range map[string]struct {
		given     pair
		givenRoot *authority
		givenHost string
		givenUse  x509.ExtKeyUsage
		wantValid bool
	}{
		"a server by address": {server, ours, "127.0.0.1", x509.ExtKeyUsageServerAuth, true},
		"a server by name":    {server, ours, "localhost", x509.ExtKeyUsageServerAuth, true},
		"another host":        {server, ours, "example.com", x509.ExtKeyUsageServerAuth, false},
		"another authority":   {server, other, "127.0.0.1", x509.ExtKeyUsageServerAuth, false},
		"a user":              {user, ours, "", x509.ExtKeyUsageClientAuth, true},
		"a user as a server":  {user, ours, "", x509.ExtKeyUsageServerAuth, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate := must(tls.X509KeyPair(tc.given.certificate, tc.given.key)).Leaf
			roots := x509.NewCertPool()
			if !roots.AppendCertsFromPEM(tc.givenRoot.pem) {
				t.Fatal("the authority's PEM holds no certificate")
			}
			_, err := certificate.Verify(x509.VerifyOptions{
				Roots: roots, DNSName: tc.givenHost, KeyUsages: []x509.ExtKeyUsage{tc.givenUse},
			})
			if (err == nil) != tc.wantValid {
				t.Errorf("got %v, want valid: %t", err, tc.wantValid)
			}
		})
	}
}

func TestReservedPort(t *testing.T) {
	t.Parallel()
	p := must(reservePort())
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.address()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: got %v", err)
	}
	if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", p.address()); err == nil {
		t.Errorf("somebody else got the port: %v", l.Close())
	}
	p.release()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", p.address())
	if err != nil {
		t.Fatalf("the port was released: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// must returns v. An error here is a fault of the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
